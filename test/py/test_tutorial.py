# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: check
# timeout: 600
# slots: 2
"""Every command of cloudlab/tutorial.md works as it stands there."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from cperf_job import TOP

TUTORIAL = TOP / "cloudlab" / "tutorial.md"
PLACE = TOP / "out" / "tutorial"


@pytest.fixture(scope="module", name="place")
def fixture_place() -> Path:
    """The folder in which all blocks have been run, as one shell would."""
    shutil.rmtree(PLACE, ignore_errors=True)
    blocks = re.findall(r"^```sh\n(.*?)^```", TUTORIAL.read_text(), re.M | re.S)
    assert len(blocks) >= 7
    done = subprocess.run(["bash", "-e", "-c", "\n".join(blocks)], cwd=TOP, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "identical: " in done.stdout
    yield PLACE
    shutil.rmtree(PLACE)


def test_results_are_what_the_text_says(place: Path) -> None:
    sizes = pd.read_csv(place / "kv" / "rpcs-homa.csv.gz")["size"]
    assert set(sizes) == {64, 400, 20000}
    sweep = pd.read_csv(place / "unsched" / "cases.csv")
    assert len(sweep) == 2 * 3 and sweep.case.nunique() == 2
    setup = json.loads(next((place / "fabric").glob("*-s1/summary.json")).read_text())["setup"]
    assert setup["fabric"] and setup["rates"] == "h3=10g" and len(setup["events"]) == 2
    assert json.loads((place / "switch.json").read_text())["PORT"]
    assert (place / "mtu" / "report.html").is_file() and not (place / "mtu-again").exists()
