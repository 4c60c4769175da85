PYTHON ?= python3.11
VENV := .venv
# byte-code is compiled and kept: without it every start costs double
export PYTHONDONTWRITEBYTECODE :=
RUN := $(VENV)/bin/python

.PHONY: demo test test-frameworks docs bench clean

demo: $(VENV)/.train  ## train YOLOv5's policy on the embedded digits and draw it
	rm -rf demo && mkdir demo
	$(VENV)/bin/etude show yolov5
	$(VENV)/bin/etude plot yolov5 -o demo/yolov5.png
	$(VENV)/bin/etude plot yolov5 --stages -o demo/cosine-term-by-term.png
	$(VENV)/bin/etude train yolov5 --epochs 50 --out demo/run
	@echo "pictures: demo/yolov5.png demo/cosine-term-by-term.png demo/run/lr.png demo/run/training.png"

test: $(VENV)/.test  ## format, lint, types and tests
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m pytest -q

test-frameworks: $(VENV)/.frameworks  ## inside the real Lightning, HF Trainer and Accelerate, which this installs
	$(RUN) -m pytest -q tests/frameworks tests/test_why.py

docs: $(VENV)/.test  ## draw the generated pages and pictures anew
	$(RUN) docs/draw_families.py
	$(RUN) docs/draw_tutorials.py

bench: $(VENV)/.test  ## speed beside the peers that are installed
	$(RUN) -m benchmarks.speed

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# torch is installed first and by its pin alone, so that nothing else chooses a build of it
$(VENV)/.torch: constraints.txt | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --disable-pip-version-check $$(grep '^torch==' constraints.txt)
	touch $@

$(VENV)/.%: $(VENV)/.torch pyproject.toml
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	touch $@

clean:
	rm -rf $(VENV) demo
