"""Checks what `kubectl kustomize` printed.

    check.py SCRATCH NAME=FILE...

NAME is a kustomization's folder, FILE its output. Writes into SCRATCH what promtool and the check of custom resources
read. The last line counts.
"""

import copy
import json
import pathlib
import sys

import kubernetes_validate
import yaml

from checks import RULES, Rendering, alerts

# Each adds its rules to the list.
import checks.pods  # noqa: F401
import checks.rollout  # noqa: F401
import checks.wiring  # noqa: F401

ROOT = pathlib.Path(__file__).parents[2]
# The oldest that the manifests are for, and the newest whose schemas there are.
VERSIONS = ("1.30", "1.37")
CUSTOM = ("monitoring.coreos.com/", "argoproj.io/")
# Rules break this one, which has everything.
BROKEN = "mysql"

passed, failed = 0, []


def note(what, faults):
    global passed
    faults = list(faults)
    if faults:
        failed.append(what)
        print(f"FAILED {what}")
        for fault in faults:
            print(f"       {fault}")
    else:
        passed += 1
        print(f"ok     {what}")


def schema_faults(document, version):
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        yield f"{document['kind']}/{document['metadata'].get('name')}: {error}"


def is_custom(document):
    return document["apiVersion"].startswith(CUSTOM)


def schemas(rendering):
    for version in VERSIONS:
        core = [d for d in rendering.documents if not is_custom(d)]
        faults = [fault for document in core for fault in schema_faults(document, version)]
        note(f"{rendering.name}: {len(core)} documents fit the schemas of Kubernetes {version}", faults)


def schemas_are_strict(rendering):
    document = copy.deepcopy(rendering.of("Deployment")[0])
    document["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    for version in VERSIONS:
        found = list(schema_faults(document, version))
        note(f"a misspelt field is found by the schemas of {version}", [] if found else ["it was not"])


def main():
    scratch = pathlib.Path(sys.argv[1])
    renderings = {}
    for argument in sys.argv[2:]:
        name, _, file = argument.partition("=")
        documents = [d for d in yaml.safe_load_all(pathlib.Path(file).read_text()) if d]
        renderings[name] = Rendering(name, documents)

    for rendering in renderings.values():
        schemas(rendering)
    schemas_are_strict(renderings[BROKEN])

    for rendering in [r for r in renderings.values() if r.workloads()]:
        for rule in RULES:
            note(f"{rendering.name}: {rule.name}", rule.check(rendering))
    for rule in RULES:
        broken = renderings[BROKEN].copy()
        rule.breaks(broken)
        found = list(rule.check(broken))
        note(f"the rule `{rule.name}` speaks where it is broken", [] if found else ["it did not"])

    watched = renderings["production"]
    runbook = (ROOT / "docs/operations/runbook.md").read_text()
    tests = yaml.safe_load((ROOT / "tests/kubernetes/alerts.yaml").read_text())
    note("every alert is complete, in the runbook and tested", alerts.alert_faults(watched, runbook, tests))
    mute = watched.copy()
    del alerts.rules(mute)[0]["for"]
    note("an alert without `for` is found", [] if list(alerts.alert_faults(mute, runbook, tests)) else ["it was not"])
    board = alerts.dashboard(watched)
    note("the dashboard's panels are complete", alerts.dashboard_faults(board))
    board_rules = alerts.as_rules(board)
    board["panels"][1]["gridPos"]["w"] = 24
    note("an overlapping panel is found", [] if list(alerts.dashboard_faults(board)) else ["it was not"])

    (rules,) = watched.of("PrometheusRule")
    (scratch / "rules.yaml").write_text(yaml.safe_dump(rules["spec"]))
    (scratch / "dashboard.yaml").write_text(yaml.safe_dump(board_rules))
    custom = [d for r in renderings.values() for d in r.documents if is_custom(d)]
    (scratch / "custom.json").write_text(json.dumps(custom))
    total = passed + len(failed)
    print(f"{passed} of {total} checks passed")
    return 1 if failed else 0


sys.exit(main())
