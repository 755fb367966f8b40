"""What the Scaling page can show."""

from explorer.scaling import published
from explorer.stage import View

VIEWS = (View("map", "The map", published.show),)
