"""What the Compare page shows: race, ladder, tasks, and what others found."""

from explorer.compare import elsewhere, ladder, race, tasks
from explorer.stage import View

VIEWS = (
    View("race", "The race", race.show),
    View("ladder", "The ladder", ladder.show),
    View("tasks", "What each part is for", tasks.show),
    View("elsewhere", "Measured elsewhere", elsewhere.show),
)
