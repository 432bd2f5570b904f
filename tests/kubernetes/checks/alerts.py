"""Alerts and the dashboard: promtool reads the rest."""

import json
import re

from . import Rendering


def rules(rendering):
    return [r for d in rendering.of("PrometheusRule") for g in d["spec"]["groups"] for r in g["rules"]]


def anchors(markdown):
    """GitHub's names of the headings."""
    headings = re.findall(r"^#+ +(.*)$", markdown, re.M)
    return {re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in headings}


def alert_faults(rendering: Rendering, runbook: str, tests: dict):
    """What is wrong with the alerts, given the text of docs/operations/runbook.md and promtool's test file."""
    found = rules(rendering)
    fires, silent = set(), set()
    for test in tests["tests"]:
        for case in test["alert_rule_test"]:
            (fires if case["exp_alerts"] else silent).add(case["alertname"])
    for alert in found:
        name = alert["alert"]
        if not alert.get("for"):
            yield f"{name} has no `for`"
        if alert.get("labels", {}).get("severity") not in ("critical", "warning"):
            yield f"{name} is neither critical nor a warning"
        if not alert.get("annotations", {}).get("summary"):
            yield f"{name} has no summary"
        path, _, anchor = alert.get("annotations", {}).get("runbook_url", "").partition("#")
        if path != "docs/operations/runbook.md" or anchor != name.lower() or anchor not in anchors(runbook):
            yield f"{name}: no section of the runbook is at {path}#{anchor}"
        if name not in fires:
            yield f"{name} never fires in tests/kubernetes/alerts.yaml"
        if name not in silent:
            yield f"{name} is never silent in tests/kubernetes/alerts.yaml"
    for name in (fires | silent) - {a["alert"] for a in found}:
        yield f"{name} is tested, but there is no such alert"


def dashboard(rendering):
    return json.loads(rendering.one("ConfigMap", "eventgallery-dashboard")["data"]["eventgallery.json"])


def dashboard_faults(board):
    """Panels that Grafana would draw wrongly: equal ids, boxes that overlap, no query, no unit."""
    panels = board["panels"]
    ids = [p["id"] for p in panels]
    if len(ids) != len(set(ids)):
        yield "two panels have one id"
    cells = set()
    for panel in panels:
        box = panel["gridPos"]
        own = {(x, y) for x in range(box["x"], box["x"] + box["w"]) for y in range(box["y"], box["y"] + box["h"])}
        if box["x"] + box["w"] > 24 or own & cells:
            yield f"{panel['title']} lies over another panel or the edge"
        cells |= own
        if panel["type"] == "row":
            continue
        if not panel.get("targets") or not panel.get("description") or not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{panel['title']} lacks a query, a description or a unit"
        for target in panel.get("targets", []):
            if 'namespace="$namespace"' not in target["expr"]:
                yield f"{panel['title']} does not keep to the chosen namespace"


def as_rules(board):
    """The dashboard's queries as recording rules, so that promtool parses them."""
    known = {"$namespace": "eventgallery", "$__rate_interval": "5m"}
    expressions = []
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for name, value in known.items():
                expression = expression.replace(name, value)
            expressions.append(expression)
    return {"groups": [{"name": "dashboard", "rules": [
        {"record": f"dashboard:query{number}", "expr": e} for number, e in enumerate(expressions)
    ]}]}
