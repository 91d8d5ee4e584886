"""Makes up schedules, each with a second opinion on what it means.

A case is what `pawl schedules preview --lines` reads, and an oracle: a function of (zone, from, count) that gives points in
time. Oracles: cronsim (crontab of Debian), python-dateutil (recurrence rules, and the calendar kind written as one), and a scan
of every minute or second for what neither knows.
"""
import calendar
from datetime import datetime, timedelta, timezone

from cronsim import CronSim
from dateutil.rrule import rrulestr

import clocks

UTC = timezone.utc
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
RULE_DAYS = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"]


def number_list(random, low, high, most=3):
    return sorted(random.sample(range(low, high + 1), random.randint(1, most)))


def words(numbers):
    return ",".join(map(str, numbers))


def near(random, hour):
    """An hour that the change of clocks touches, mostly."""
    return random.choice([hour, hour, (hour + 1) % 24, (hour - 1) % 24, random.randrange(24)])


# Cron -----------------------------------------------------------------------------------------------------------------


def cron_field(random, low, high, favourite=None, star=0.3):
    kind = random.random()
    if kind < star:
        return random.choice(["*", "*", f"*/{random.choice([2, 3, 5, 7, 15, 20])}"]) if high > 12 else "*"
    if favourite is not None and kind < star + 0.4:
        return str(favourite)
    if kind < 0.85:
        return words(number_list(random, low, high))
    first = random.randint(low, high - 1)
    # Not 5-5/2: cronsim reads that as 5/2.
    last = random.randint(first + 1, high)
    return f"{first}-{last}" + random.choice(["", "/2", "/3"])


def cron(random, local):
    """Five fields as cronsim reads them too."""
    day = random.choice(["*", "*", "*", cron_field(random, 1, 31, local.day), "L", "LW", f"{random.randint(1, 27)},L"])
    weekday = random.choice(["*", "*", "*", cron_field(random, 0, 6, (local.weekday() + 1) % 7),
                             f"{random.randint(0, 7)}#{random.randint(1, 5)}", f"{random.randint(0, 6)}L",
                             random.choice(["MON-FRI", "SUN", "TUE,SAT", "1-5", "FRI-7"])])
    if weekday == "FRI-7":
        weekday = "5-7"
    month = random.choice(["*", "*", "*", "*/2", str(local.month), "MAR,OCT", "1-12/3"])
    minute = cron_field(random, 0, 59, random.choice([0, 15, 30, 45, 59]), 0.2)
    hour = cron_field(random, 0, 23, near(random, local.hour), 0.25)
    text = f"{minute} {hour} {day} {month} {weekday}"

    def oracle(zone, start, count):
        result, previous = [], None
        for at in CronSim(text, start.astimezone(zone)):
            at = at.astimezone(UTC)
            # Two times that a gap swallows are one here: cronsim gives the same moment twice.
            if at != previous and at > start:
                result.append(at)
            previous = at
            if len(result) == count:
                break
        return result

    return {"kind": "cron", "expression": text}, oracle


def cron_choices(random, local, gap, fold):
    """Fixed times with days that cronsim does not know, and other rules than Debian's, by a scan."""
    minutes = number_list(random, 0, 59, 2)
    hours = sorted({near(random, local.hour) for _ in range(2)})
    seconds = random.choice([None, None, number_list(random, 0, 59, 2)])
    day = random.choice(["*", "L-3", f"{max(1, min(28, local.day))}W", "31W", "1W", f"{local.day}"])
    weekday = "*" if day != "*" else random.choice(["*", "SUNL", "7", f"{(local.weekday() + 1) % 7}#{(local.day + 6) // 7}"])
    text = f"{words(minutes)} {words(hours)} {day} * {weekday}"

    def day_matches(date):
        last = clocks.last_day(date)
        if day == "L-3":
            if date.day != last - 3:
                return False
        elif day.endswith("W"):
            target = int(day[:-1])
            if target > last:
                return False
            aim = date.replace(day=target)
            # The nearest Monday to Friday of the same month, the earlier of two.
            candidates = [d for d in range(1, last + 1) if date.replace(day=d).weekday() < 5]
            best = min(candidates, key=lambda d: (abs(d - aim.day), d))
            if date.day != best:
                return False
        elif day != "*" and date.day != int(day):
            return False
        if weekday == "SUNL":
            return date.weekday() == 6 and date.day + 7 > last
        if weekday == "7":
            return date.weekday() == 6
        if "#" in weekday:
            name, number = map(int, weekday.split("#"))
            return (date.weekday() + 1) % 7 == name and (date.day + 6) // 7 == number
        return True

    def matches(at):
        return (at.minute in minutes and at.hour in hours and at.second in (seconds or [0]) and day_matches(at.date()))

    case = {"kind": "cron", "expression": text, "dst": {"gap": gap, "fold": fold}}
    if seconds:
        case = {"kind": "cron", "spec": {"expression": f"{words(seconds)} {text}", "dialect": "seconds"},
                "dst": {"gap": gap, "fold": fold}}
    return case, (matches, False, 1 if seconds else 60)


# Recurrence rules -----------------------------------------------------------------------------------------------------


def rule(random, local):
    """What dateutil and RFC 5545 agree on; see docs/schedules.md for where they do not."""
    frequency = random.choice(["DAILY", "DAILY", "WEEKLY", "MONTHLY", "MONTHLY", "YEARLY", "HOURLY", "MINUTELY"])
    begin = (local - timedelta(days=random.randint(0, 700))).replace(
        hour=near(random, local.hour), minute=random.choice([0, 15, 30, 59]), second=0)
    parts = [f"FREQ={frequency}"]
    if random.random() < 0.4:
        parts.append(f"INTERVAL={random.randint(2, 5)}" if frequency != "MINUTELY" else f"INTERVAL={random.choice([7, 15, 45, 90])}")
    elif frequency == "MINUTELY":
        parts.append("INTERVAL=20")
    weekday = RULE_DAYS[(local.weekday() + 1) % 7]
    if frequency in ("DAILY", "HOURLY", "MINUTELY") and random.random() < 0.3:
        parts.append("BYMONTH=" + words(sorted({local.month, random.randint(1, 12)})))
    if frequency == "DAILY" and random.random() < 0.4:
        parts.append("BYHOUR=" + words(sorted({near(random, local.hour), near(random, local.hour)})))
    # Every 90 minutes may never meet an hour: dateutil would look for it until the year 9999.
    if frequency == "MINUTELY" and "INTERVAL=90" not in parts and random.random() < 0.5:
        parts.append("BYHOUR=" + words(sorted({local.hour, near(random, local.hour)})))
    if frequency == "HOURLY" and random.random() < 0.4:
        parts.append("BYMINUTE=" + words(number_list(random, 0, 59)))
    if frequency == "WEEKLY" and random.random() < 0.7:
        parts.append("BYDAY=" + ",".join(sorted({weekday, random.choice(RULE_DAYS)})))
        if random.random() < 0.5:
            parts.append("WKST=" + random.choice(["SU", "MO"]))
    if frequency == "MONTHLY":
        parts.append(random.choice([
            f"BYMONTHDAY={local.day}", "BYMONTHDAY=-1,15", f"BYDAY=-1{weekday}", f"BYDAY={(local.day + 6) // 7}{weekday}",
            "BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", f"BYDAY={weekday};BYSETPOS=1,-1", "BYMONTHDAY=13;BYDAY=FR"]))
    if frequency == "YEARLY":
        parts.append(random.choice([
            f"BYMONTH={local.month};BYDAY=-1{weekday}", f"BYYEARDAY={local.timetuple().tm_yday},-1",
            f"BYWEEKNO={max(2, min(51, local.isocalendar()[1]))};BYDAY={weekday}", f"BYMONTH={local.month};BYMONTHDAY={local.day}",
            f"BYDAY=20{weekday}", "BYMONTH=2;BYMONTHDAY=29"]))
    if random.random() < 0.15:
        parts.append(f"COUNT={random.randint(1, 200)}")
    elif random.random() < 0.15:
        parts.append("UNTIL=" + (local + timedelta(days=random.randint(0, 400))).strftime("%Y%m%dT%H%M%S"))
    text = ";".join(parts)
    spec = {"rule": text, "dtstart": begin.strftime("%Y-%m-%dT%H:%M:%S")}
    return {"kind": "rrule", "spec": spec}, (text, begin, frequency in ("HOURLY", "MINUTELY"))


def calendar_rule(random, local):
    """The calendar kind, and the same as a recurrence rule."""
    hour, minute = near(random, local.hour), random.choice([0, 15, 30, 59])
    begin = (local - timedelta(days=random.randint(0, 300))).replace(hour=hour, minute=minute, second=0)
    date = begin.strftime("%Y-%m-%d")
    weekday = (local.weekday() + 1) % 7
    others = sorted({weekday, random.randrange(7)})
    byday = ",".join(RULE_DAYS[day] for day in others)
    step = random.randint(1, 4)
    monday = begin - timedelta(days=begin.weekday())
    first = begin.replace(day=1)
    spec, text, begin = random.choice([
        ({"every_days": step, "from": date}, f"FREQ=DAILY;INTERVAL={step}", begin),
        ({"weekdays": [DAYS[day] for day in others]}, f"FREQ=WEEKLY;BYDAY={byday}", begin - timedelta(days=400)),
        ({"weekdays": [DAYS[day] for day in others], "every_weeks": step, "from": date},
         f"FREQ=WEEKLY;INTERVAL={step};BYDAY={byday}", monday),
        ({"last_day": True, "every_months": step, "from": date}, f"FREQ=MONTHLY;INTERVAL={step};BYMONTHDAY=-1", first),
        ({"day_of_month": 28, "every_months": step, "from": date}, f"FREQ=MONTHLY;INTERVAL={step};BYMONTHDAY=28", first),
        ({"day_of_month": 31}, "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", first - timedelta(days=400)),
        ({"nth_weekday": {"nth": "last", "weekday": DAYS[weekday]}}, f"FREQ=MONTHLY;BYDAY=-1{RULE_DAYS[weekday]}",
         first - timedelta(days=400)),
        ({"nth_weekday": {"nth": 2, "weekday": DAYS[weekday]}}, f"FREQ=MONTHLY;BYDAY=2{RULE_DAYS[weekday]}",
         first - timedelta(days=400)),
        ({"last_workday": True}, "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", first - timedelta(days=400)),
    ])
    if text.startswith("FREQ=MONTHLY") and "INTERVAL" not in text:
        begin = begin.replace(day=1)
    return {"kind": "calendar", "spec": {**spec, "time": f"{hour:02}:{minute:02}"}}, (text, begin, False)


def locals_of(text, begin, after, count):
    """dateutil's naive times around `after`: from two days before it, so that none is lost to an offset."""
    # UNTIL is local here, as DTSTART is.
    found = []
    for at in rrulestr(text, dtstart=begin).xafter(after - timedelta(days=2), count=None, inc=True):
        found.append(at)
        if at > after + timedelta(days=2):
            count -= 1
        if count < 0 or at > after + timedelta(days=200 * 366):
            break
    return found


# systemd --------------------------------------------------------------------------------------------------------------


def event(random, local):
    """A calendar event, and a function that tells whether a local time matches."""
    weekday = (local.weekday() + 1) % 7
    names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    date_text, date_matches = random.choice([
        ("", lambda at: True), ("*-*-* ", lambda at: True),
        (f"{names[weekday]} *-*-* ", lambda at: (at.weekday() + 1) % 7 == weekday),
        ("Sat,Sun ", lambda at: at.weekday() >= 5), ("Mon..Fri ", lambda at: at.weekday() < 5),
        ("*-*~01 ", lambda at: at.day == clocks.last_day(at)),
        (f"{names[weekday]} *-*~07/1 ", lambda at: (at.weekday() + 1) % 7 == weekday and at.day > clocks.last_day(at) - 7),
        (f"*-{local.month:02}-{local.day:02} ", lambda at: (at.month, at.day) == (local.month, local.day)),
        ("*-*-01/3 ", lambda at: (at.day - 1) % 3 == 0), ("*-*-20..31 ", lambda at: at.day >= 20),
        (f"{local.year}-*-* ", lambda at: at.year == local.year),
        ("*-1..6,10-* ", lambda at: at.month <= 6 or at.month == 10),
    ])
    hour, minute = near(random, local.hour), random.choice([0, 15, 30, 59])
    low = random.randint(0, 30)
    time_text, time_matches, rhythm, step = random.choice([
        (f"{hour:02}:{minute:02}", lambda at: (at.hour, at.minute, at.second) == (hour, minute, 0), False, 60),
        (f"{hour}:{minute}:30", lambda at: (at.hour, at.minute, at.second) == (hour, minute, 30), False, 30),
        (f"*:{minute:02}", lambda at: (at.minute, at.second) == (minute, 0), True, 60),
        ("*:0/20", lambda at: at.minute % 20 == 0 and at.second == 0, True, 60),
        (f"{hour}:5/15", lambda at: at.hour == hour and at.minute >= 5 and (at.minute - 5) % 15 == 0 and at.second == 0, True, 60),
        (f"{hour},{(hour + 3) % 24}:{low}..{low + 5}:00",
         lambda at: at.hour in (hour, (hour + 3) % 24) and low <= at.minute <= low + 5 and at.second == 0, False, 60),
    ])
    return ({"kind": "oncalendar", "expression": date_text + time_text},
            (lambda at: date_matches(at) and time_matches(at), rhythm, step))
