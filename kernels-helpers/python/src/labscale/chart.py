"""Points over an axis as SVG; nothing but text, so that a chart needs no library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 860, 420
LEFT, RIGHT, TOP, BOTTOM = 76, 20, 46, 58
# Okabe and Ito's colours, which people who confuse red and green tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


@dataclass(frozen=True)
class Series:
    name: str
    points: Sequence[tuple[float, float, str]]
    """Place, number, and what a pointer that rests on it reads."""


def draw(
    *, title: str, series: Sequence[Series], x_label: str, y_label: str, x_ticks: Sequence[tuple[float, str]]
) -> str:
    """A scatter chart with axes, ticks, the median of each series, and a legend where there are several.

    Parameters
    ----------
    series
        With at least one point in all.
    x_ticks
        Places on the horizontal axis and what is written there.
    """
    places = [point[0] for item in series for point in item.points] + [place for place, _ in x_ticks]
    numbers = [point[1] for item in series for point in item.points]
    y_ticks = nice_ticks(min(numbers), max(numbers))
    low_x, high_x = min(places) - 0.6, max(places) + 0.6
    low_y, high_y = y_ticks[0], y_ticks[-1]
    several = len(series) > 1
    top = TOP + (20 if several else 0)

    def x(place: float) -> float:
        return LEFT + (place - low_x) / (high_x - low_x) * (WIDTH - LEFT - RIGHT)

    def y(number: float) -> float:
        return HEIGHT - BOTTOM - (number - low_y) / (high_y - low_y) * (HEIGHT - BOTTOM - top)

    middle_y = (top + HEIGHT - BOTTOM) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' width="{WIDTH}" height="{HEIGHT}" role="img" font-family="sans-serif" font-size="12" fill="#333">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="26" font-size="15" font-weight="600">{escape(title)}</text>',
    ]
    digits = _digits(y_ticks)
    for tick in y_ticks:
        at = y(tick)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#e3e3e3"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{tick:.{digits}f}</text>')
    for place, name in x_ticks:
        parts.append(
            f'<text x="{x(place):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{escape(name)}</text>'
        )
    parts.append(
        f'<path d="M{LEFT} {top}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#888"/>'
        f'<g text-anchor="middle"><text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 14}">'
        f"{escape(x_label)}</text>"
        f'<text transform="translate(18 {middle_y:.0f}) rotate(-90)">{escape(y_label)}</text></g>'
    )
    radius = 4 if len(numbers) <= 200 else 2.5 if len(numbers) <= 2000 else 1.5
    legend_x = float(LEFT)
    for at, item in enumerate(series):
        if not item.points:
            continue
        colour = COLOURS[at % len(COLOURS)]
        middle = _median([number for _, number, _ in item.points])
        parts.append(f'<g fill="{colour}" fill-opacity="0.75">')
        parts.extend(
            f'<circle cx="{x(place):.1f}" cy="{y(number):.1f}" r="{radius}">'
            f"<title>{escape(text)}: {number:.6g}</title></circle>"
            for place, number, text in item.points
        )
        parts.append(
            f'</g><path d="M{LEFT} {y(middle):.1f}H{WIDTH - RIGHT}" stroke="{colour}" stroke-dasharray="5 4">'
            f"<title>median: {middle:.6g}</title></path>"
        )
        if several:
            parts.append(
                f'<circle cx="{legend_x + 5:.0f}" cy="{TOP}" r="4" fill="{colour}"/>'
                f'<text x="{legend_x + 14:.0f}" y="{TOP + 4}">{escape(item.name)}, median {middle:.4g}</text>'
            )
            legend_x += 34 + 7 * len(f"{item.name}, median {middle:.4g}")
        else:
            parts.append(
                f'<text x="{WIDTH - RIGHT}" y="26" text-anchor="end" fill="{colour}">'
                f"median {middle:.4g}</text>"
            )
    parts.append("</svg>\n")
    return "\n".join(parts)


def nice_ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Round numbers at even steps that hold both ends between them."""
    if high <= low:
        spread = abs(low) * 0.1 or 1.0
        low, high = low - spread, high + spread
    rough = (high - low) / max(1, count - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(at * step, 12) for at in range(first, max(last, first + 1) + 1)]


def _digits(ticks: Sequence[float]) -> int:
    step = ticks[1] - ticks[0]
    return next((digits for digits in range(12) if abs(round(step, digits) - step) < step * 1e-6), 12)


def _median(numbers: list[float]) -> float:
    ordered = sorted(numbers)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
