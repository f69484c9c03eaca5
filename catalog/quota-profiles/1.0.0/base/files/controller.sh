#!/bin/sh
# Keeps one ResourceQuota, named "profile", in every namespace that names a QuotaProfile. It ends at the first error; the
# kubelet then starts it again, later each time.
set -eu
label=quotas.distributor.example/profile
while true; do
  kubectl get namespaces --selector "$label" --output json > /tmp/namespaces.json
  kubectl get quotaprofiles.quotas.distributor.example --output json > /tmp/profiles.json
  jq --arg key "$label" --slurpfile profiles /tmp/profiles.json '
    {apiVersion: "v1", kind: "List", items: [
      .items[] as $namespace
      | $profiles[0].items[]
      | select(.metadata.name == $namespace.metadata.labels[$key])
      | {
          apiVersion: "v1",
          kind: "ResourceQuota",
          metadata: {name: "profile", namespace: $namespace.metadata.name},
          spec: {hard: .spec.hard}
        }
    ]}' /tmp/namespaces.json > /tmp/quotas.json
  if jq --exit-status '.items | length > 0' /tmp/quotas.json > /tmp/some; then
    kubectl apply --server-side --field-manager quota-profiles --filename /tmp/quotas.json
  fi
  sleep "$INTERVAL_SECONDS"
done
