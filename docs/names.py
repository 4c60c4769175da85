from typing import NamedTuple
class Name(NamedTuple):
    family: str
FAMILIES = {"cosine": "Cosine"}
def rows(): return []
