"""How the charts come onto the page: as SVG in the page's colours, with what they share in one
place. Nothing is drawn here.
"""

import re

from frontend.charts import palette

VARIABLES = {
    palette.INK: "ink",
    palette.MUTED: "muted",
    palette.LINES: "lines",
    palette.BAND: "band",
    palette.PAPER: "paper",
    palette.LIVE: "live",
}
# Of a definition: `id="ID`, `href="#ID`, `url(#ID`; no link of the page's begins so.
REFERENCE = re.compile(r'(<(?:path|clipPath) id="|<use href="#|url\(#)([^")]+)')
DEFINED = re.compile(r'<(path|clipPath) id="([^"]*)".*?(?:/>(?!\s*</clipPath>)|</clipPath>)', re.S)
CURVE_LENGTH = 500  # letters; a mark's path has fewer


def variable(colour):
    """The CSS variable that stands for a colour of the palette."""
    return f"--{VARIABLES.get(colour, 'c' + colour[1:])}"


def colour_variables(shade):
    """CSS definitions of the variables, each colour put through `shade`."""
    return "\n".join(f"  {variable(colour)}: {shade(colour)};" for colour in palette.colours())


def drawing(path):
    """The chart in an SVG file as part of a page, from its box on: as wide as there is room, in
    variable colours, compact. Empty if it was not drawn."""
    if not path.exists():
        return ""
    svg = path.read_text(encoding="utf-8")
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.S)
    box = re.search(r'viewBox="[^"]*"', svg).group()
    return recolour(compact(box + svg[svg.index(">") :]))


def compact(svg):
    """The SVG without what nothing needs: ids of groups, white space, digits beyond a hundredth of
    a point."""
    svg = re.sub(r'<g id="[^"]*"/>', "", svg)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg).replace("xlink:href", "href")
    svg = re.sub(r' d="([^"]*)"', lambda data: f' d="{compact_path(data.group(1))}"', svg)
    svg = re.sub(r' (?:x|y|transform)="[^"]*"', lambda place: cut(place.group()), svg)
    return re.sub(r">\s+<", "><", svg)


def compact_path(data):
    """The data of a path without needless white space, and a long one, which is a curve and no
    mark, to a tenth of a point."""
    if len(data) > CURVE_LENGTH:
        data = re.sub(r"(\.\d)\d+", r"\1", data)
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", data).strip()


def cut(text):
    """Numbers of a position with two decimals; those below one are scales and stay."""
    return re.sub(r"(?<![\d.])([1-9]\d*\.\d\d)\d+", r"\1", text)


def recolour(svg):
    """The SVG with CSS variables for colours."""
    for colour in palette.colours():
        svg = svg.replace(colour, f"var({variable(colour)})")
    return svg


def share_definitions(body):
    """The page with every definition (a letter, a mark, a clip) once, before all charts. Equal ids
    mean equal definitions: they are made from what they define."""
    shared = {}

    def take(match):
        shared.update((found.group(2), found.group()) for found in DEFINED.finditer(match.group()))
        return ""

    rest = re.sub(r"<defs>.*?</defs>", take, body, flags=re.S)
    if not shared:
        return rest
    names = {name: f"d{i}" for i, name in enumerate(sorted(shared))}
    definitions = "\n".join(shared[name] for name in sorted(shared))
    whole = f'<svg class="shared" aria-hidden="true"><defs>{definitions}</defs></svg>{rest}'
    return REFERENCE.sub(lambda found: found.group(1) + names[found.group(2)], whole)
