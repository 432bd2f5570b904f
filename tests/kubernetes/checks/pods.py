"""Pod security, level `restricted` and somewhat more, on every pod of every overlay."""

from . import rule

ALLOWED_VOLUMES = {"configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim", "projected", "secret"}


def first(rendering):
    return rendering.workloads()[0]


def each(rendering, wrong):
    """What `wrong(pod, container)` says of every container."""
    for workload in rendering.workloads():
        for container in workload.containers:
            text = wrong(workload.pod, container)
            if text:
                yield f"{workload.title}, container {container['name']}: {text}"


def setting(pod, container, name):
    """A security setting: the container's own, else the pod's."""
    own = container.get("securityContext", {})
    return own.get(name, pod.get("securityContext", {}).get(name))


@rule("not root", lambda r: first(r).pod["securityContext"].update(runAsUser=0))
def not_root(rendering):
    def wrong(pod, container):
        if setting(pod, container, "runAsNonRoot") is not True:
            return "runAsNonRoot is not true"
        # A number, so that the kubelet can tell without reading the image.
        if not setting(pod, container, "runAsUser"):
            return "runAsUser is no number above 0"
        return None

    return each(rendering, wrong)


@rule("seccomp", lambda r: first(r).pod["securityContext"].pop("seccompProfile"))
def seccomp(rendering):
    def wrong(pod, container):
        profile = (setting(pod, container, "seccompProfile") or {}).get("type")
        return None if profile in ("RuntimeDefault", "Localhost") else f"seccompProfile is {profile}"

    return each(rendering, wrong)


@rule(
    "no privilege escalation",
    lambda r: first(r).containers[0]["securityContext"].pop("allowPrivilegeEscalation"),
)
def no_escalation(rendering):
    def wrong(_, container):
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False:
            return "allowPrivilegeEscalation is not false"
        return "privileged" if context.get("privileged") else None

    return each(rendering, wrong)


@rule("no capabilities", lambda r: first(r).containers[0]["securityContext"]["capabilities"].update(add=["NET_RAW"]))
def no_capabilities(rendering):
    def wrong(_, container):
        capabilities = container.get("securityContext", {}).get("capabilities", {})
        if "ALL" not in capabilities.get("drop", []):
            return "does not drop ALL capabilities"
        return f"adds {capabilities['add']}" if capabilities.get("add") else None

    return each(rendering, wrong)


@rule("read-only root", lambda r: first(r).containers[0]["securityContext"].update(readOnlyRootFilesystem=False))
def read_only_root(rendering):
    def wrong(_, container):
        read_only = container.get("securityContext", {}).get("readOnlyRootFilesystem")
        return None if read_only is True else "the root file system can be written"

    return each(rendering, wrong)


@rule("nothing of the host", lambda r: first(r).pod.update(hostNetwork=True))
def nothing_of_the_host(rendering):
    for workload in rendering.workloads():
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if workload.pod.get(key):
                yield f"{workload.title}: {key}"
        for volume in workload.pod.get("volumes", []):
            kinds = set(volume) - {"name"}
            if not kinds <= ALLOWED_VOLUMES:
                yield f"{workload.title}: volume {volume['name']} is a {kinds}"
        for container in workload.containers:
            for port in container.get("ports", []):
                if "hostPort" in port:
                    yield f"{workload.title}: hostPort {port['hostPort']}"


@rule("no token for the Kubernetes API", lambda r: first(r).pod.pop("automountServiceAccountToken"))
def no_token(rendering):
    for workload in rendering.workloads():
        if workload.pod.get("automountServiceAccountToken") is not False:
            yield f"{workload.title}: automountServiceAccountToken is not false"


@rule("resources", lambda r: first(r).containers[0]["resources"]["limits"].pop("memory"))
def resources(rendering):
    def wrong(_, container):
        given = container.get("resources", {})
        lacks = [key for key in ("cpu", "memory") if key not in given.get("requests", {})]
        if lacks:
            return f"no requests for {lacks}"
        # No limit of CPU: throttling makes requests slow for nothing.
        return None if "memory" in given.get("limits", {}) else "no memory limit"

    return each(rendering, wrong)


@rule("images have a version", lambda r: first(r).containers[0].update(image="eventgallery:latest"))
def versions(rendering):
    def wrong(_, container):
        _, separator, version = container["image"].rpartition("/")[2].partition(":")
        if "@sha256:" in container["image"] or (separator and version != "latest"):
            return None
        return f"{container['image']} can be anything"

    return each(rendering, wrong)


@rule("namespace enforces it", lambda r: r.of("Namespace")[0]["metadata"]["labels"].pop("pod-security.kubernetes.io/enforce"))
def enforced(rendering):
    for mode in ("audit", "enforce", "warn"):
        for namespace in rendering.of("Namespace"):
            if namespace["metadata"].get("labels", {}).get(f"pod-security.kubernetes.io/{mode}") != "restricted":
                yield f"the namespace does not {mode} restricted pods"


@rule("one namespace", lambda r: r.of("Deployment")[0]["metadata"].update(namespace="default"))
def one_namespace(rendering):
    for document in rendering.documents:
        if document["kind"] != "Namespace" and document["metadata"].get("namespace") != "eventgallery":
            yield f"{document['kind']}/{document['metadata']['name']} is in another namespace"
