"""What the Compare page shows: race, ladder, a race that is run here, tasks, what others found."""

from explorer.compare import elsewhere, ladder, race, running, tasks
from explorer.stage import View

VIEWS = (
    View("race", "The race", race.show),
    View("ladder", "The ladder", ladder.show),
    View("here", "Run it here", running.show),
    View("tasks", "What each part is for", tasks.show),
    View("elsewhere", "Measured elsewhere", elsewhere.show),
)
