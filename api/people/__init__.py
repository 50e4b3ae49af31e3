"""Collections of faces as requests see them. Sync: routes call it in a thread."""

from api.people.filtering import Person, frames_with
from api.people.people import People
from api.people.pictures import Pictured, pictured
from api.people.standing import Standing

__all__ = ["People", "Person", "Pictured", "Standing", "frames_with", "pictured"]
