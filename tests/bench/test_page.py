"""The page in a real browser: what it shows, sorting, filters, text of others that stays text."""

import json
import math
import re
import shutil
import subprocess

import pytest

from gpudl.bench import page, text
from tests.bench.records import HEAD, record_of, timed, untimed

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"><!--"
ROWS = [
    timed("gpudl", [2e-3] * 3),
    timed("PyTorch", [1e-3] * 3, difference="TF32"),
    untimed("mine", "wrong", error=0.25),
    timed("gpudl", [9e-3] * 3, workload="size 10", throttled="power"),
    timed("PyTorch", [2e-2] * 3, workload="size 10"),
    timed("gpudl", [5e-6] * 3, operator="relu_forward", family="activations", workload="size 9", floor=0.0, share=0.0),
    timed(HOSTILE, [4e-6] * 3, operator="relu_forward", family="activations", workload="size 9", detail=HOSTILE),
]  # fmt: skip

# Runs in the page after its own script; what it finds goes into the body as JSON.
LOOK = """
<script>
const found = {};
const column = (name, row) => row.querySelector(`td[data-name="${name}"]`).firstChild;
const whole = name => [...document.querySelectorAll(`#rows tbody td[data-name="${name}"]`)].map(cell => cell.textContent);
const texts = name => [...document.querySelectorAll("#rows tbody tr")].map(row => {
  const cell = column(name, row);
  return cell === null ? "" : cell.firstChild === null ? cell.textContent : cell.firstChild.textContent;
});
const head = name => [...document.querySelectorAll("#rows th")].find(each => each.textContent === name);
const click = name => head(name).firstChild.click();
function set(id, value) {
  const input = document.getElementById(id);
  input.value = value;
  input.dispatchEvent(new Event("input"));
}
const count = () => document.getElementById("count").textContent;
found.title = document.title;
found.method = document.querySelectorAll("#method li").length;
found.means = [...document.querySelectorAll("#means tbody tr")].map(row => [...row.cells].map(cell => cell.textContent));
found.heads = [...document.querySelectorAll("#rows th")].map(each => each.textContent);
found.times = texts("time");
found.errors = texts("error");
found.count = count();
found.bars = document.querySelectorAll("#rows .slower, #rows .faster").length;
found.images = document.images.length;
found.scripts = document.scripts.length;
found.hostile = texts("remarks").at(-1);
found.theme = document.documentElement.dataset.theme;
const lanes = () => [...document.querySelectorAll("#chart .lane")];
const drawn = () => lanes().map(lane => [lane.querySelectorAll("circle").length,
  ...[...lane.querySelectorAll("text")].map(each => each.textContent)]);
const clickLane = name => lanes().find(lane => lane.textContent.startsWith(name)).dispatchEvent(new Event("click"));
found.chart = drawn(); found.points = lanes().flatMap(lane => [...lane.querySelectorAll("title")].map(each => each.textContent));
found.places = [...lanes()[1].querySelectorAll("circle")].map(dot => Number(dot.getAttribute("cx")));
found.one = Number(document.querySelector("#chart .one").getAttribute("x1"));
found.legend = [...document.querySelectorAll("#legend span")].map(each => each.textContent);
found.legendShown = getComputedStyle(document.getElementById("legend")).display;
clickLane("conv2d"); found.operators = [whole("operator"), drawn()];
clickLane("conv2d_f"); found.operator = whole("operator");
set("filter-family", ""); set("filter-operator", ""); clickLane("conv2d"); set("filter-family", "");
click("time"); found.up = texts("time"); found.sorted = head("time").getAttribute("aria-sort");
click("time"); found.down = texts("time"); found.turned = head("time").getAttribute("aria-sort");
click("workload"); found.workloads = texts("workload"); found.unsorted = head("time").getAttribute("aria-sort");
click("gpudl / it"); found.ratios = texts("gpudl / it");
set("sort", "time down"); found.chosen = texts("time");
set("filter-contender", "=PyTorch"); found.torch = [texts("contender"), count()];
set("filter-family", "=activations"); found.none = [texts("contender"), count()];
set("filter-contender", ""); found.family = whole("operator");
set("filter-family", "");
const table = document.getElementById("rows").closest(".scroll");
found.scrolls = table.scrollWidth > table.clientWidth;
set("filter-status", "=wrong"); found.wrong = texts("contender"); found.noChart = document.getElementById("ratios").hidden;
set("filter-status", "");
set("text", "SIZE 10 gpudl"); found.text = texts("workload");
set("text", "");
found.all = document.querySelectorAll("#rows tbody tr").length;
document.getElementById("theme").click(); found.worn = document.documentElement.dataset.theme;
found.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
const result = document.createElement("pre");
result.id = "found";
result.textContent = encodeURIComponent(JSON.stringify(found));
document.body.append(result);
</script>
"""


def dom(path, folder, *options):
    """The page as the browser has it after its scripts; nothing is asked of the network."""
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--disable-quic", f"--user-data-dir={folder / 'profile'}",
        *options, "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def looked_at(folder, rows, *options):
    head = HEAD | {"command": HOSTILE, "device": {"name": "cpu", "cpu": HOSTILE}}
    told = page.html(record_of(folder, rows, head=head))
    path = folder / "page.html"
    path.write_text(told.replace("</body>", f"{LOOK}</body>"))
    from urllib.parse import unquote

    text = dom(path, folder, *options)
    return json.loads(unquote(re.search(r'<pre id="found">([^<]*)</pre>', text)[1]))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return looked_at(tmp_path_factory.mktemp("page"), ROWS, "--window-size=1400,900")


def test_the_page_shows_every_row(found):
    assert found["heads"] == [
        "operator", "workload", "dtype", "cache", "contender", "time", "gpudl / it", "floor", "share", "bound", "error",
        "remarks",
    ]  # fmt: skip
    assert found["times"] == ["2.000 ms", "1.000 ms", "wrong", "9.000 ms", "20.00 ms", "5.000 µs", "4.000 µs"]
    assert found["bars"] == 3
    assert found["method"] > 8
    assert found["count"].startswith(
        "7 of 7 rows; geometric mean against PyTorch 0.95; geometric mean against </script>"
    )
    assert found["means"][1] == ["conv2d", "PyTorch", "float32", "warm", "0.95", "2", "1"]
    assert not found["wide"]


def test_the_chart_has_a_lane_for_each_family_and_contender(found):
    lanes = found["chart"]
    assert [lane[:3] for lane in lanes] == [[1, "activations", "1.25"], [2, "conv2d", "0.95"]]
    assert [lane[3] for lane in lanes] == [f"{HOSTILE[:15]}\N{HORIZONTAL ELLIPSIS}, 1", "PyTorch, 2"]
    assert found["points"][1].startswith("conv2d_forward, ")
    assert found["points"][1].endswith("float32, warm: 2.00 of PyTorch's 1.000 ms")
    # on a logarithmic axis 2 is as far to the right of 1 as 0.5 to the left
    twice, less = (place - found["one"] for place in found["places"])
    assert less / twice == pytest.approx(math.log(0.45) / math.log(2))
    assert found["legend"] == ["\N{BLACK CIRCLE} PyTorch", f"\N{BLACK CIRCLE} {HOSTILE}"]
    assert found["legendShown"] == "none"  # the lanes name their contenders where there is room


def test_a_click_on_a_lane_goes_into_it(found):
    operators, lanes = found["operators"]
    assert operators == ["conv2d_forward"] * 5
    assert [lane[:3] for lane in lanes] == [[2, "conv2d_forward", "0.95"]]
    assert found["operator"] == ["conv2d_forward"] * 5
    assert found["noChart"]


def test_columns_sort_both_ways(found):
    assert found["up"] == ["4.000 µs", "5.000 µs", "1.000 ms", "2.000 ms", "9.000 ms", "20.00 ms", "wrong"]
    assert found["down"] == ["20.00 ms", "9.000 ms", "2.000 ms", "1.000 ms", "5.000 µs", "4.000 µs", "wrong"]
    assert (found["sorted"], found["turned"], found["unsorted"]) == ("ascending", "descending", "none")
    assert found["workloads"][3:] == [
        "size 9",
        "size 9",
        "size 10",
        "size 10",
    ]  # numbers in words count as numbers
    assert found["ratios"] == ["0.45", "1.25", "2.00", "", "", "", ""]
    assert found["chosen"] == found["down"]


def test_filters_keep_what_is_asked(found):
    assert found["torch"][0] == ["PyTorch", "PyTorch"]
    assert found["torch"][1] == "2 of 7 rows; geometric mean against PyTorch 0.95"
    assert found["none"] == [[], "0 of 7 rows"]
    assert found["family"] == ["relu_forward", "relu_forward"]
    assert found["wrong"] == ["mine"]
    assert found["text"] == ["size 10"]
    assert found["all"] == 7


def test_text_of_others_stays_text(found):
    assert found["title"].endswith(HOSTILE)
    assert found["hostile"] == HOSTILE
    assert (found["images"], found["scripts"]) == (0, 3)  # the data, the page's and the test's


def test_the_theme_can_be_turned(found):
    assert {found["theme"], found["worn"]} == {"light", "dark"}


def test_on_a_phone_nothing_is_wider_than_the_screen(tmp_path):
    found = looked_at(tmp_path, ROWS, "--window-size=500,900")
    assert not found["wide"]
    assert found["legendShown"] == "flex"
    assert [lane[:3] for lane in found["chart"]] == [[1, "activations", "1.25"], [2, "conv2d", "0.95"]]
    assert [len(lane) for lane in found["chart"]] == [3, 3]


def test_remarks_are_on_the_screen_beside_long_names(tmp_path):
    names = {
        "operator": "binary_cross_entropy_with_logits_backward",
        "family": "losses",
        "workload": "(1024, 1024)",
    }
    rows = [
        *ROWS[:-1],
        timed("PyTorch", [4e-6] * 3, operator="relu_forward", family="activations", workload="size 9"),
        timed("gpudl", [2e-3] * 3, **names),
        timed("PyTorch", [1e-3] * 3, difference="sums in another order", **names),
    ]
    assert not looked_at(tmp_path, rows, "--window-size=1280,800")["scrolls"]


def test_an_error_that_is_no_number_is_said_in_a_word(tmp_path):
    rows = [*ROWS, untimed("off", "wrong", error=text.LARGEST_ERROR)]
    assert looked_at(tmp_path, rows)["errors"] == [*["1.0e-6"] * 2, "2.5e-1", "infinite", *["1.0e-6"] * 4]


def test_a_page_of_no_rows(tmp_path):
    told = page.html(record_of(tmp_path, []))
    path = tmp_path / "page.html"
    path.write_text(told)
    assert "0 of 0 rows" in dom(path, tmp_path)
