"""Small charts as SVG: points, and the line nearest to them."""

import dataclasses
import statistics
from collections.abc import Callable

Points = list[tuple[float, float]]

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 50, 30, 50


def line_through(points: Points) -> tuple[float, float, float]:
    """Slope and start of the line nearest to the points, and which part of their variance it explains."""
    slope, start = statistics.linear_regression(*zip(*points, strict=True))
    mean = statistics.fmean(y for _, y in points)
    left = sum((y - start - slope * x) ** 2 for x, y in points)
    return slope, start, 1 - left / (sum((y - mean) ** 2 for _, y in points) or 1)


@dataclasses.dataclass(frozen=True)
class Chart:
    """CPU seconds over something.

    `series` has points and a colour by name; `ticks` are where the horizontal axis has labels, by default five even
    steps; `scale` says where on the axis a value stands.
    """

    title: str
    series: dict[str, tuple[Points, str]]
    ticks: list[float] | None = None
    scale: Callable[[float], float] = float

    def draw(self, offset: float) -> list[str]:
        """The chart's elements, moved right by `offset`."""
        everything = [point for points, _ in self.series.values() for point in points]
        ticks = self.ticks or [max(x for x, _ in everything) * step / 5 for step in range(6)]
        first, last = self.scale(ticks[0]), self.scale(ticks[-1])
        highest = max(y for _, y in everything)
        # Five steps of a round number of hundredths.
        most_y = 5 * next(
            step for step in (s * 10**e / 100 for e in range(9) for s in (1, 2, 5)) if 5 * step >= highest
        )

        def place(x: float, y: float) -> tuple[float, float]:
            across, up = (x - first) / (last - first), y / most_y
            return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP)

        parts = [f'<g transform="translate({offset})">']
        for step in range(6):
            value = most_y * step / 5
            _, y = place(first, value)
            parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" font-size="12" text-anchor="end">{value:.2f}</text>')
        for tick in ticks:
            x, _ = place(self.scale(tick), 0)
            place_of = f'x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}"'
            parts.append(f'<text {place_of} font-size="12" text-anchor="middle">{tick:,.0f}</text>')
        for number, (name, (points, color)) in enumerate(self.series.items()):
            placed = [(self.scale(x), y) for x, y in points]
            if len(placed) > 1:
                slope, start, _ = line_through(placed)
                (x1, y1), (x2, y2) = (place(x, max(start + slope * x, 0)) for x in (first, last))
                parts.append(
                    f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{color}" stroke-dasharray="4 4"/>'
                )
            for point in placed:
                x, y = place(*point)
                parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}"/>')
            parts.append(f'<text x="{LEFT + 20}" y="{40 + 20 * number}" font-size="14" fill="{color}">{name}</text>')
        middle = f'x="{WIDTH / 2}" y="{HEIGHT - 12}"'
        parts.append(f'<text {middle} font-size="14" text-anchor="middle">{self.title}</text>')
        return [*parts, "</g>"]


def picture(*charts: Chart) -> str:
    """The charts side by side."""
    width = WIDTH * len(charts)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" font-family="sans-serif">']
    parts.append(f'<rect width="{width}" height="{HEIGHT}" fill="white"/>')
    for number, chart in enumerate(charts):
        parts += chart.draw(WIDTH * number)
    return "\n".join([*parts, "</svg>", ""])
