"""A trade-off as a picture: one SVG file, written by hand so that no plotting library is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from serving.tradeoff import Point

_WIDTH, _HEIGHT = 760, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 30, 60, 60
_INK, _LINE, _NOW, _BEST = "#333333", "#1f77b4", "#7f7f7f", "#d62728"


def svg(points: Sequence[Point], *, title: str, now: Point, best: Point, lowest: str) -> str:
    """Return the curve of cost and quality, with today's policy and the point that was looked for.

    The same points give the same bytes. Points without a price are left out.
    """
    priced = [point for point in points if point.usd_per_1k is not None]
    scale = _Scale(priced)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="{_INK}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="28" font-size="15">{escape(title)}</text>',
        *_axes(scale),
        *_curve(priced, scale, lowest),
        *_mark(now, scale, _NOW, "now", lowest, -14),
        *_mark(best, scale, _BEST, "set", lowest, 22),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Scale:
    """Where dollars and quality lie on the page."""

    def __init__(self, points: Sequence[Point]) -> None:
        dollars = [point.usd_per_1k or 0.0 for point in points] or [0.0]
        quality = [point.quality for point in points] or [0.0]
        self.most_usd = max(dollars) * 1.05 or 1.0
        margin = max((max(quality) - min(quality)) * 0.1, 0.001)
        self.low, self.high = max(0.0, min(quality) - margin), min(1.0, max(quality) + margin)

    def x(self, usd_per_1k: float) -> float:
        return _LEFT + usd_per_1k / self.most_usd * (_WIDTH - _LEFT - _RIGHT)

    def y(self, quality: float) -> float:
        share = (quality - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _axes(scale: _Scale) -> Iterator[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    yield f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="{_INK}"/>'
    for step in range(6):
        usd = scale.most_usd * step / 5
        yield f'<text x="{scale.x(usd):.1f}" y="{bottom + 18}" text-anchor="middle">${usd:.3g}</text>'
        quality = scale.low + (scale.high - scale.low) * step / 5
        y = scale.y(quality)
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{quality:.3f}</text>'
        yield f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#dddddd" stroke-width="0.5"/>'
    middle = (_LEFT + right) / 2
    yield f'<text x="{middle:.0f}" y="{_HEIGHT - 16}" text-anchor="middle">$ per 1,000 requests</text>'
    yield (
        f'<text x="20" y="{(_TOP + bottom) / 2:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 20 {(_TOP + bottom) / 2:.0f})">expected quality</text>'
    )


def _curve(points: Sequence[Point], scale: _Scale, lowest: str) -> Iterator[str]:
    ordered = sorted(points, key=lambda point: point.usd_per_lost_quality)
    places = [(scale.x(point.usd_per_1k or 0.0), scale.y(point.quality)) for point in ordered]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    yield f'<polyline points="{line}" fill="none" stroke="{_LINE}" stroke-width="1.5"/>'
    for point, (x, y) in zip(ordered, places, strict=True):
        told = escape(f"${point.usd_per_lost_quality:g} lost quality, {point.shares[lowest]:.0%} {lowest}")
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{_LINE}"><title>{told}</title></circle>'


def _mark(point: Point, scale: _Scale, colour: str, word: str, lowest: str, down: int) -> Iterator[str]:
    if point.usd_per_1k is None:
        return
    x, y = scale.x(point.usd_per_1k), scale.y(point.quality)
    told = escape(f"{word}: ${point.usd_per_lost_quality:g}, {point.shares[lowest]:.0%} {lowest}")
    # towards the middle, so that no word leaves the page
    anchor, away = ("start", 8) if x < _WIDTH / 2 else ("end", -8)
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="none" stroke="{colour}" stroke-width="2"/>'
    yield f'<text x="{x + away:.1f}" y="{y + down:.1f}" text-anchor="{anchor}" fill="{colour}">{told}</text>'
