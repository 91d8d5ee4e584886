"""What a schedule's rules for changes of clocks mean, written down a second time.

Nothing here is shared with the scheduler. A schedule without its zone is a set of times on a wall clock; `instants` puts such
a set into a zone by looking at each minute (or second) of universal time and asking `zoneinfo` what the clocks show.
"""
import calendar
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

UTC = timezone.utc


def offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset()


def transitions(zone: ZoneInfo, begin: datetime, end: datetime):
    """Points in time at which the offset changes."""
    found, at = [], begin
    before = offset(zone, at)
    while at < end:
        later = at + timedelta(days=5)
        after = offset(zone, later)
        if after != before:
            low, high = at, later
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                if offset(zone, middle) == before:
                    low = middle
                else:
                    high = middle
            found.append(high)
            # Two changes within five days: the second is found from the first.
            before, at = offset(zone, high), high
            continue
        at, before = later, after
    return found


def instants(matches, follows_real_time, zone, begin, end, gap="shift", fold="first", step=60):
    """All points in time after `begin` and up to `end` at which a set of local times fires.

    `matches(local)` tells whether a naive local time is in the set. Both ends are on a multiple of `step`.
    """
    result = set()
    at = begin + timedelta(seconds=step)
    before = offset(zone, begin)
    while at <= end:
        now = offset(zone, at)
        local = (at + now).replace(tzinfo=None)
        if now > before and not follows_real_time and gap == "shift":
            # The clocks jumped: local times that they left out are made up for at once.
            skipped = (at + before).replace(tzinfo=None)
            while skipped < local:
                if matches(skipped):
                    result.add(at)
                    break
                skipped += timedelta(seconds=step)
        if matches(local):
            if follows_real_time or fold == "both" or not shown_twice(zone, at, local):
                result.add(at)
            elif (fold == "first") == (local.replace(tzinfo=zone, fold=0).astimezone(UTC) == at):
                result.add(at)
        before = now
        at += timedelta(seconds=step)
    return sorted(result)


def shown_twice(zone, at, local):
    first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return first < second and at in (first, second)


def place(locals_, follows_real_time, zone, after, gap="shift", fold="first"):
    """Rising naive local times as points in time later than `after`: for sets that another program enumerates."""
    result = set()
    for local in locals_:
        first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        second = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
        if first == second:
            result.add(first)
        elif first < second:
            if follows_real_time or fold == "both":
                result.update((first, second))
            else:
                result.add(first if fold == "first" else second)
        elif not follows_real_time and gap == "shift":
            # Of a time that does not exist, fold=1 gives a point before the jump, and fold=0 one after it.
            low, high = second - timedelta(seconds=1), first
            before = offset(zone, low)
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) // 2).replace(microsecond=0)
                if offset(zone, middle) == before:
                    low = middle
                else:
                    high = middle
            result.add(high)
    return sorted(at for at in result if at > after)


def last_day(day):
    return calendar.monthrange(day.year, day.month)[1]
