from piccolo.constraints import Unique
from piccolo.table import Table

from market.db.columns import day, document, moment, number, real, reference, text, whole
from market.meetings.tables import Meeting


class FieldRoute(Table, tablename="field_route"):
    """The tour to the fields: buses, of so many ``seats`` each, that start and end at one place."""

    id = number()
    meeting = reference(Meeting)
    on = day()
    start_name = text()
    start_lat = real()
    start_lon = real()
    #: Minutes after midnight.
    leaves_at = whole()
    back_by = whole()
    buses = whole(default=1)
    seats = whole(null=True)
    speed_kmh = whole(default=40)
    #: Status, kilometres, bound and who was left out, as the router found them.
    result = document(null=True)
    planned_at = moment(null=True)
    field_route_once = Unique([meeting], name="field_route_once")


class RouteStop(Table, tablename="route_stop"):
    """A village on the tour. Minutes after midnight."""

    id = number()
    route = reference(FieldRoute, part_of=True)
    organisation = reference("Organisation", null=True)
    name = text()
    lat = real()
    lon = real()
    opens_at = whole()
    closes_at = whole()
    stay_minutes = whole()
    #: What is shown there.
    shows = text(default="")
    #: Which bus, its place on that bus's way (from 1), and when it comes and leaves; NULL: not on the tour.
    bus = whole(null=True)
    position = whole(null=True)
    arrives_at = whole(null=True)
    leaves_at = whole(null=True)
