"""What the Scaling page can show."""

from explorer.scaling import own_law, predicting, published, smarter
from explorer.stage import View

VIEWS = (
    View("map", "The map", published.show),
    View("own", "Your own law", own_law.show),
    View("predict", "Predict before you look", predicting.show),
    View("smarter", "Smarter, not bigger", smarter.show),
)
