"""What Kubernetes documents must be like, rule by rule.

A rule is a function from a `Rendering` to what is wrong in it, as lines. Beside it stands how to break a rendering so
that exactly this rule must speak: a rule that nothing can break proves nothing.
"""

import copy
from dataclasses import dataclass, field

WORKLOADS = ("Deployment", "StatefulSet", "Job", "DaemonSet", "CronJob", "Pod")


@dataclass
class Rendering:
    """The documents of one kustomization."""

    name: str
    documents: list

    def of(self, *kinds):
        return [d for d in self.documents if d["kind"] in kinds]

    def one(self, kind, name):
        found = [d for d in self.of(kind) if d["metadata"]["name"] == name]
        return found[0] if found else None

    def workloads(self):
        return [Workload(d) for d in self.of(*WORKLOADS)]

    def copy(self):
        return Rendering(self.name, copy.deepcopy(self.documents))


@dataclass
class Workload:
    """Something that makes pods."""

    document: dict
    title: str = field(init=False)

    def __post_init__(self):
        self.title = f"{self.document['kind']}/{self.document['metadata']['name']}"

    @property
    def template(self):
        return self.document["spec"]["template"]

    @property
    def pod(self):
        return self.template["spec"]

    @property
    def labels(self):
        return self.template["metadata"]["labels"]

    @property
    def containers(self):
        return self.pod.get("initContainers", []) + self.pod["containers"]

    @property
    def ours(self):
        return self.labels.get("app.kubernetes.io/name") == "eventgallery"

    def ports(self):
        return {p["name"]: p["containerPort"] for c in self.containers for p in c.get("ports", [])}


@dataclass
class Rule:
    name: str
    check: object
    breaks: object


RULES = []


def rule(name, breaks):
    """Registers the rule; `breaks` changes a rendering of k8s/overlays/mysql so that it must speak."""

    def register(check):
        RULES.append(Rule(name, check, breaks))
        return check

    return register


def selects(selector, labels):
    """Whether a label selector matches."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for term in selector.get("matchExpressions") or []:
        value, values = labels.get(term["key"]), term.get("values") or []
        holds = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[term["operator"]]
        if not holds:
            return False
    return True


def environment(rendering, container):
    """Names and plain values that a container gets; None for a value that is not in the rendering."""
    variables = {}
    for source in container.get("envFrom", []):
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            document = rendering.one(kind, source[key]["name"]) if key in source else None
            if document:
                variables |= document.get("data") or {}
                variables |= document.get("stringData") or {}
    for entry in container.get("env", []):
        variables[entry["name"]] = entry.get("value")
    return variables
