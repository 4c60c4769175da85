"""The trainer: a model, data, a recipe and a folder in; weights, logs and pictures out; stopped anywhere, it goes on."""
