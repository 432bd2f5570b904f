"""Upgrades, restarts and the limits that all replicas share."""

from . import environment, rule, selects

# Of what the base counts on where an overlay has no database of its own: PostgreSQL's default, less what it keeps
# for its superuser.
OUTSIDE_CONNECTIONS = 97
# AWS's default quotas outside the three big regions (Rekognition's guidelines and quotas).
QUOTAS = {"REKOGNITION_FACES_PER_SECOND": 25, "REKOGNITION_LABELS_PER_SECOND": 5}


def deployment(rendering, component):
    return next(w for w in rendering.workloads() if w.labels.get("app.kubernetes.io/component") == component)


def scaler(rendering, workload):
    for document in rendering.of("HorizontalPodAutoscaler"):
        target = document["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == (workload.document["kind"], workload.document["metadata"]["name"]):
            return document
    return None


def ours(rendering):
    return [w for w in rendering.workloads() if w.ours and w.document["kind"] == "Deployment"]


@rule("two of each", lambda r: r.of("HorizontalPodAutoscaler")[0]["spec"].update(minReplicas=1))
def two_of_each(rendering):
    for workload in ours(rendering):
        found = scaler(rendering, workload)
        if not found or found["spec"]["minReplicas"] < 2:
            yield f"{workload.title} may have fewer than two replicas"
        if "replicas" in workload.document["spec"]:
            yield f"{workload.title}: every apply would undo the autoscaler with `replicas`"
        budgets = rendering.of("PodDisruptionBudget")
        if not any(selects(b["spec"]["selector"], workload.labels) for b in budgets):
            yield f"{workload.title} has no disruption budget"


@rule("none is missing during a rollout", lambda r: ours(r)[0].document["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1))
def rolls(rendering):
    for workload in ours(rendering):
        strategy = workload.document["spec"]["strategy"]
        if strategy["type"] != "RollingUpdate" or strategy["rollingUpdate"]["maxUnavailable"] != 0:
            yield f"{workload.title}: a rollout takes replicas away before new ones are ready"


@rule("probes", lambda r: ours(r)[0].containers[0]["livenessProbe"]["httpGet"].update(path="/health/ready"))
def probes(rendering):
    for workload in rendering.workloads():
        if workload.document["kind"] == "Job":
            continue
        for container in workload.containers:
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe not in container:
                    yield f"{workload.title} has no {probe}"
            # A database that is away for a minute must not restart every replica at once.
            for probe in ("startupProbe", "livenessProbe"):
                if container.get(probe, {}).get("httpGet", {}).get("path") == "/health/ready":
                    yield f"{workload.title}: {probe} asks the database"


@rule("time to end", lambda r: ours(r)[0].pod.update(terminationGracePeriodSeconds=30))
def time_to_end(rendering):
    for workload in ours(rendering):
        for container in workload.containers:
            pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            shutdown = int(environment(rendering, container)["SHUTDOWN_SECONDS"])
            if workload.pod["terminationGracePeriodSeconds"] <= pause + shutdown:
                yield f"{workload.title} is killed before {pause} + {shutdown} s are over"
            if "http" in workload.ports() and pause < 5:
                yield f"{workload.title} stops while proxies still send requests to it"


def wave(document):
    return int(document["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", 0))


@rule("the migration comes first", lambda r: r.of("Job")[0]["metadata"]["annotations"].update({"argocd.argoproj.io/sync-wave": "3"}))
def migration_first(rendering):
    (job,) = rendering.of("Job")
    annotations = job["metadata"]["annotations"]
    # A hook: Argo CD makes it anew at each sync, where a plain Job could not be changed.
    if annotations.get("argocd.argoproj.io/hook") != "Sync":
        yield "the migration is no hook of the Sync phase"
    if annotations.get("argocd.argoproj.io/hook-delete-policy") != "BeforeHookCreation":
        yield "the last migration's Job is in the way of the next"
    for document in rendering.documents:
        title = f"{document['kind']}/{document['metadata']['name']}"
        if document["kind"] in ("ConfigMap", "Secret", "StatefulSet", "NetworkPolicy", "Service", "Namespace"):
            if wave(document) >= wave(job):
                yield f"{title} comes after the migration, which needs it"
        if document["kind"] == "Deployment" and wave(document) <= wave(job):
            yield f"{title} does not wait for the migration"
    for workload in ours(rendering):
        for container in workload.containers:
            if environment(rendering, container).get("DATABASE_MIGRATE") != "false":
                yield f"{workload.title} migrates by itself, each replica at once"
    # What the runbook applies before the migration: everything but API and worker.
    for document in rendering.documents:
        component = document["metadata"].get("labels", {}).get("app.kubernetes.io/component")
        held_back = component in ("api", "worker")
        if document["kind"] in ("Deployment", "HorizontalPodAutoscaler") and not held_back:
            yield f"{document['kind']}/{document['metadata']['name']} has no component label, by which the runbook holds it back"
        if held_back and document["kind"] in ("ConfigMap", "Secret", "Job", "ServiceAccount", "Namespace", "StatefulSet"):
            yield f"{document['kind']}/{document['metadata']['name']} would be missing at the migration"


@rule("connections suffice", lambda r: r.one("ConfigMap", "backend-config")["data"].update(DATABASE_MAX_CONNECTIONS="64"))
def connections(rendering):
    needed = 1  # the migration's
    for workload in ours(rendering):
        replicas = scaler(rendering, workload)["spec"]["maxReplicas"]
        replicas += workload.document["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
        variables = environment(rendering, workload.containers[0])
        needed += replicas * int(variables["DATABASE_MAX_CONNECTIONS"])
    allowed = OUTSIDE_CONNECTIONS
    for database in rendering.of("StatefulSet"):
        for argument in database["spec"]["template"]["spec"]["containers"][0]["args"]:
            name, _, value = argument.lstrip("-").replace("_", "-").partition("=")
            if name == "max-connections":
                allowed = int(value) - 3
    if needed > allowed:
        yield f"all replicas together may open {needed} connections of {allowed}"


@rule("quotas are shared", lambda r: r.one("ConfigMap", "backend-config")["data"].update(REKOGNITION_FACES_PER_SECOND="25"))
def quotas(rendering):
    worker = deployment(rendering, "worker")
    replicas = scaler(rendering, worker)["spec"]["maxReplicas"]
    variables = environment(rendering, worker.containers[0])
    for name, quota in QUOTAS.items():
        if float(variables[name]) * replicas > quota:
            yield f"{replicas} workers with {name}={variables[name]} go beyond {quota} a second"
