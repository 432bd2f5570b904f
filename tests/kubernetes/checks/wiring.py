"""What names what: selectors, ports, references, paths that the program writes to."""

import re

from . import environment, rule, selects


def api(rendering):
    return next(w for w in rendering.workloads() if w.labels.get("app.kubernetes.io/component") == "api")


@rule("selectors find pods", lambda r: r.of("PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"].update(x="y"))
def selectors_find(rendering):
    pods = [w.labels for w in rendering.workloads()]
    selectors = [(d, {"matchLabels": d["spec"]["selector"]}) for d in rendering.of("Service")]
    selectors += [(d, d["spec"]["selector"]) for d in rendering.of("PodDisruptionBudget", "PodMonitor")]
    for policy in rendering.of("NetworkPolicy"):
        selectors.append((policy, policy["spec"]["podSelector"]))
        for line in policy["spec"].get("ingress", []) + policy["spec"].get("egress", []):
            for peer in line.get("from", []) + line.get("to", []):
                if "podSelector" in peer and "namespaceSelector" not in peer:
                    selectors.append((policy, peer["podSelector"]))
    for document, selector in selectors:
        if not any(selects(selector, labels) for labels in pods):
            yield f"{document['kind']}/{document['metadata']['name']} selects no pod: {selector}"
    for workload in rendering.workloads():
        own = workload.document["spec"].get("selector", {"matchLabels": {}})
        spread = [c["labelSelector"] for c in workload.pod.get("topologySpreadConstraints", [])]
        for selector in [own, *spread]:
            if not selects(selector, workload.labels):
                yield f"{workload.title} does not select its own pods: {selector}"


@rule("named ports exist", lambda r: r.of("Service")[0]["spec"]["ports"][0].update(targetPort="htpp"))
def ports_exist(rendering):
    def used():
        for service in rendering.of("Service"):
            for port in service["spec"]["ports"]:
                yield service, {"matchLabels": service["spec"]["selector"]}, port["targetPort"]
        for policy in rendering.of("NetworkPolicy"):
            for line in policy["spec"].get("ingress", []):
                for port in line["ports"]:
                    yield policy, policy["spec"]["podSelector"], port["port"]
        for monitor in rendering.of("PodMonitor"):
            for endpoint in monitor["spec"]["podMetricsEndpoints"]:
                yield monitor, monitor["spec"]["selector"], endpoint["port"]

    for document, selector, port in used():
        found = [w for w in rendering.workloads() if selects(selector, w.labels) and port in w.ports()]
        if not found:
            yield f"{document['kind']}/{document['metadata']['name']}: no pod has the port {port}"
    for workload in rendering.workloads():
        for container in workload.containers:
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                port = container.get(probe, {}).get("httpGet", {}).get("port")
                if port and port not in workload.ports():
                    yield f"{workload.title}: {probe} asks the port {port}"
    for ingress in rendering.of("Ingress"):
        for line in ingress["spec"]["rules"]:
            for path in line["http"]["paths"]:
                wanted = path["backend"]["service"]
                service = rendering.one("Service", wanted["name"])
                if not service or wanted["port"]["name"] not in [p["name"] for p in service["spec"]["ports"]]:
                    yield f"Ingress/{ingress['metadata']['name']} leads nowhere: {wanted}"


@rule("listens where the ports are", lambda r: r.one("ConfigMap", "backend-config")["data"].update(METRICS_LISTEN="0.0.0.0:9091"))
def listens_there(rendering):
    names = {"http": "EVENTGALLERY_LISTEN", "metrics": "METRICS_LISTEN"}
    for workload in filter(lambda w: w.ours, rendering.workloads()):
        for container in workload.containers:
            variables = environment(rendering, container)
            for port in container.get("ports", []):
                address = variables.get(names[port["name"]])
                if address != f"0.0.0.0:{port['containerPort']}":
                    yield f"{workload.title}: {names[port['name']]} is {address}, the port {port['containerPort']}"


@rule("references exist", lambda r: api(r).containers[0]["envFrom"][0]["configMapRef"].update(name="backend-confg"))
def references_exist(rendering):
    # Somebody else makes it where the component own-secret leaves it out.
    elsewhere = {("Secret", "backend-secret")} if rendering.name == "production" else set()

    def wrong(kind, name, key=None):
        document = rendering.one(kind, name)
        if document is None:
            return None if (kind, name) in elsewhere else f"there is no {kind}/{name}"
        keys = {**(document.get("data") or {}), **(document.get("stringData") or {})}
        return f"{kind}/{name} has no {key}" if key and key not in keys else None

    for workload in rendering.workloads():
        wanted = []
        account = workload.pod.get("serviceAccountName")
        if account:
            wanted.append(("ServiceAccount", account))
        for container in workload.containers:
            for source in container.get("envFrom", []):
                for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                    if key in source:
                        wanted.append((kind, source[key]["name"]))
            for entry in container.get("env", []):
                for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                    if key in entry.get("valueFrom", {}):
                        reference = entry["valueFrom"][key]
                        wanted.append((kind, reference["name"], reference["key"]))
            volumes = {v["name"] for v in workload.pod.get("volumes", [])}
            volumes |= {c["metadata"]["name"] for c in workload.document["spec"].get("volumeClaimTemplates", [])}
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    yield f"{workload.title}: no volume {mount['name']}"
        for reference in wanted:
            text = wrong(*reference)
            if text:
                yield f"{workload.title}: {text}"
    for scaler in rendering.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if not rendering.one(target["kind"], target["name"]):
            yield f"HorizontalPodAutoscaler/{scaler['metadata']['name']} scales nothing"


@rule("the data folder can be written", lambda r: api(r).pod["volumes"].pop(0))
def data_folder(rendering):
    for workload in filter(lambda w: w.ours, rendering.workloads()):
        empty = {v["name"] for v in workload.pod.get("volumes", []) if "emptyDir" in v}
        for container in workload.containers:
            # /data is what the image sets.
            folder = environment(rendering, container).get("EVENTGALLERY_DATA_DIR", "/data")
            mounts = {m["mountPath"] for m in container.get("volumeMounts", []) if m["name"] in empty}
            if folder not in mounts:
                yield f"{workload.title}: no emptyDir at {folder}"


@rule("nothing is open that is not listed", lambda r: r.one("NetworkPolicy", "default-deny")["spec"]["policyTypes"].pop())
def default_deny(rendering):
    closed = [
        p["spec"]
        for p in rendering.of("NetworkPolicy")
        if p["spec"]["podSelector"] == {} and not p["spec"].get("ingress") and not p["spec"].get("egress")
    ]
    if not any(set(p["policyTypes"]) == {"Ingress", "Egress"} for p in closed):
        yield "no policy denies all ingress and egress"
    for policy in rendering.of("NetworkPolicy"):
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for line in policy["spec"].get(direction, []):
                if not line.get(peers) or not line.get("ports"):
                    yield f"NetworkPolicy/{policy['metadata']['name']} opens {direction} to everybody or for every port"


@rule("pods reach what they need", lambda r: r.documents.remove(r.one("NetworkPolicy", "to-mysql")))
def pods_reach(rendering):
    """DNS, S3, and the overlay's own database, from both sides; the outside reaches the API."""

    def allowed(labels, direction, port, peer=None):
        for policy in rendering.of("NetworkPolicy"):
            if not selects(policy["spec"]["podSelector"], labels):
                continue
            for line in policy["spec"].get(direction, []):
                peers = line.get("from", []) + line.get("to", [])
                fits = peer is None or any(
                    "podSelector" in p and "namespaceSelector" not in p and selects(p["podSelector"], peer)
                    for p in peers
                )
                if fits and port in [p["port"] for p in line["ports"]]:
                    return True
        return False

    databases = [w for w in rendering.workloads() if w.labels.get("app.kubernetes.io/component") == "database"]
    for workload in filter(lambda w: w.ours, rendering.workloads()):
        wanted = [("egress", 53, None)]
        if workload.document["kind"] == "Deployment":
            wanted += [("egress", 443, None), ("ingress", "metrics", None)]
        if "http" in workload.ports():
            wanted.append(("ingress", "http", None))
        for database in databases:
            ((name, number),) = database.ports().items()
            wanted.append(("egress", number, database.labels))
            if not allowed(database.labels, "ingress", name, workload.labels):
                yield f"{database.title} does not let {workload.title} in"
        for direction, port, peer in wanted:
            if not allowed(workload.labels, direction, port, peer):
                yield f"{workload.title}: no {direction} for {port}"


@rule("one password", lambda r: r.one("Secret", "mysql")["stringData"].update(MYSQL_PASSWORD="another"))
def one_password(rendering):
    settings = rendering.one("Secret", "backend-secret")
    address = re.match(r"\w+://\w+:([^@]*)@(\w+):\d+/", settings["stringData"]["DATABASE_URI"]) if settings else None
    if not address:
        return
    password, host = address.groups()
    secret = rendering.one("Secret", host)
    if not secret or password not in secret["stringData"].values():
        yield f"the password of DATABASE_URI is none of Secret/{host}"
