"""``make audit``: what is publicly known against the locked versions, by pip-audit, from OSV's advisories.

Ends with 1 where something is known, and with 0 where nothing is, or where no advisories can be had: then it says so
aloud, since an outage of theirs is no fault of ours. What follows the file goes to pip-audit (``--ignore-vuln ID``).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

PATIENCE = 600  # seconds for all of them


def main(lock: str, *more: str) -> int:
    with TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        asked = ["-r", lock, "--require-hashes", "--disable-pip", "-s", "osv", "-f", "json", "-o", str(found)]
        command = [sys.executable, "-m", "pip_audit", *asked, "--progress-spinner", "off", *more]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
            audited = json.loads(found.read_text())["dependencies"]
        except (OSError, ValueError, KeyError, subprocess.TimeoutExpired) as error:
            said = done.stderr.strip().splitlines()[-1:] if not isinstance(error, subprocess.TimeoutExpired) else []
            print(f"NOT AUDITED: no advisories can be had here: {' '.join(said) or type(error).__name__}")
            return 0
    known = [(each, one) for each in audited for one in each.get("vulns", ())]
    for each, one in known:
        fixed = f"; mended in {', '.join(one['fix_versions'])}" if one["fix_versions"] else ""
        print(f"{each['name']} {each['version']}: {one['id']}{fixed}")
    print(f"{len(audited)} locked packages audited, {len(known)} known weaknesses")
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
