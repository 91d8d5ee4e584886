"""The colours of states: far enough apart for every kind of sight, strong enough against the ground. Read from app.css."""

import itertools
import math
import pathlib
import re

import pytest

CSS = (pathlib.Path(__file__).resolve().parents[2] / "Sources/Host/Dashboard/assets/app.css").read_text()
GROUPS = ["waiting", "active", "attention", "success", "failure", "neutral"]

# Machado, Oliveira, Fernandes 2009, severity 1.0, for linear RGB.
SIGHT = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def palette(theme):
    start = CSS.index(":root {") if theme == "light" else CSS.index(':root[data-theme="dark"]')
    block = CSS[start:CSS.index("}", start)]
    return {name: value for name, value in re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)}


def linear(colour):
    parts = (int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5))
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)


def seen(rgb, sight):
    return tuple(min(1, max(0, sum(m * c for m, c in zip(row, rgb)))) for row in SIGHT[sight])


def lab(rgb):
    r, g, b = rgb
    xyz = ((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047, 0.2126729 * r + 0.7151522 * g + 0.0721750 * b,
           (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883)
    x, y, z = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one, two):
    """CIEDE2000 (Sharma, Wu, Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, two
    mean_c = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(mean_c ** 7 / (mean_c ** 7 + 25 ** 7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = (math.degrees(math.atan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    dh = h2 - h1
    if c1 * c2 == 0:
        dh = 0
    elif dh > 180:
        dh -= 360
    elif dh < -180:
        dh += 360
    big_dh = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(dh / 2))
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    hm = h1 + h2
    if c1 * c2:
        hm = hm / 2 if abs(h1 - h2) <= 180 else (hm + 360) / 2 if hm < 360 else (hm - 360) / 2
    t = (1 - 0.17 * math.cos(math.radians(hm - 30)) + 0.24 * math.cos(math.radians(2 * hm))
         + 0.32 * math.cos(math.radians(3 * hm + 6)) - 0.20 * math.cos(math.radians(4 * hm - 63)))
    sl = 1 + 0.015 * (lm - 50) ** 2 / math.sqrt(20 + (lm - 50) ** 2)
    sc, sh = 1 + 0.045 * cm, 1 + 0.015 * cm * t
    rt = -2 * math.sqrt(cm ** 7 / (cm ** 7 + 25 ** 7)) * math.sin(math.radians(60 * math.exp(-(((hm - 275) / 25) ** 2))))
    dl, dc, dhh = (l2 - l1) / sl, (c2 - c1) / sc, big_dh / sh
    return math.sqrt(dl * dl + dc * dc + dhh * dhh + rt * dc * dhh)


def contrast(one, two):
    light, dark = sorted((0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (one, two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_distance_is_the_published_one():
    # Three pairs of the data that the authors give for checking.
    assert distance((50, 2.6772, -79.7751), (50, 0, -82.7485)) == pytest.approx(2.0425, abs=1e-4)
    assert distance((50, 2.5, 0), (73, 25, -18)) == pytest.approx(27.1492, abs=1e-4)
    assert distance((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514)) == pytest.approx(0.9082, abs=1e-4)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("sight", SIGHT)
def test_states_are_told_apart(theme, sight):
    colours = palette(theme)
    for one, two in itertools.combinations(GROUPS, 2):
        d = distance(*(lab(seen(linear(colours[name]), sight)) for name in (one, two)))
        assert d >= 10, f"{theme}, {sight}: {one} and {two} are only {d:.1f} apart"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_shapes_and_words_stand_out(theme):
    colours = palette(theme)
    for ground in ("panel", "sunk", "paper"):
        for name in GROUPS:
            value = contrast(linear(colours[name]), linear(colours[ground]))
            assert value >= 3, f"{theme}: {name} on {ground} has {value:.2f}"
        for name in ("ink", "soft"):
            value = contrast(linear(colours[name]), linear(colours[ground]))
            assert value >= 4.5, f"{theme}: {name} on {ground} has {value:.2f}"
    assert contrast(linear(colours["accent"]), linear(colours["accent-ink"])) >= 4.5
    assert contrast(linear(colours["danger"]), linear(colours["danger-ink"])) >= 4.5


def test_both_ways_into_the_dark_have_the_same_colours():
    media = CSS[CSS.index("@media (prefers-color-scheme: dark)"):]
    block = media[:media.index("}")]
    assert dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) == palette("dark")
