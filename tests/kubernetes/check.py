"""Checks the manifests of deploy/kubernetes: against the official schemas, strictly, and against each other and the
configuration that they hand to the servers. Prints what is wrong, a line each, and ends with 1.

    python check.py PORTCULLIS REPOSITORY MANIFESTS

PORTCULLIS is the binary, MANIFESTS the folder, which need not be the repository's.
"""

import base64
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import kubernetes_validate
import yaml

# The oldest with `preStop.sleep`, and the newest that is known.
VERSIONS = ["1.30", "1.37"]
NAMESPACE = "portcullis"
# More than the drain, so that a server says itself what it has cut.
SLACK_SECONDS = 5

problems = []


def wrong(where, what):
    problems.append(f"{where}: {what}")


def name_of(thing):
    return f"{thing['kind']} {thing['metadata']['name']}"


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|min|m|h)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "min": 60, "m": 60, "h": 3600}[unit]


def read(folder):
    """Every object of every file, which must be the files that kustomize is told of."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    files = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    if set(kustomization["resources"]) != files:
        wrong("kustomization.yaml", f"names {kustomization['resources']}, there are {sorted(files)}")
    return [thing for file in sorted(files) for thing in yaml.safe_load_all((folder / file).read_text())]


def secrets(repository, work):
    """What the documented command prints."""
    certificate, key = work / "tls.crt", work / "tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", "/CN=portcullis.example.com", "-addext", "subjectAltName=DNS:portcullis.example.com",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    command = [repository / "deploy/kubernetes/secrets.sh", "postgres://user:password@host/name", certificate, key]
    return list(yaml.safe_load_all(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def check_schemas(things):
    for thing in things:
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(thing, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                wrong(name_of(thing), f"Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message}")
        if thing["kind"] != "Namespace" and thing["metadata"].get("namespace") != NAMESPACE:
            wrong(name_of(thing), "is in another namespace")
    names = [name_of(thing) for thing in things]
    for name in {name for name in names if names.count(name) > 1}:
        wrong(name, "is there twice")


class Manifests:
    """The objects, found by what they are."""

    def __init__(self, things):
        self.things = things

    def all(self, kind):
        return [thing for thing in self.things if thing["kind"] == kind]

    def get(self, kind, name):
        return next((thing for thing in self.all(kind) if thing["metadata"]["name"] == name), None)

    def selected(self, selector):
        labels = lambda thing: thing["spec"]["template"]["metadata"]["labels"]
        return [thing for thing in self.all("Deployment") if selector.items() <= labels(thing).items()]

    def environment(self, deployment):
        """What the container finds in its environment."""
        found = {}
        for entry in container(deployment)["env"]:
            if "value" in entry:
                found[entry["name"]] = entry["value"]
                continue
            (source, reference), = entry["valueFrom"].items()
            kind = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}[source]
            holder = self.get(kind, reference["name"])
            if holder is None or reference["key"] not in holder["data"]:
                wrong(name_of(deployment), f"{entry['name']} is to come from a {kind} that does not have it")
                continue
            value = holder["data"][reference["key"]]
            found[entry["name"]] = value if kind == "ConfigMap" else base64.b64decode(value).decode()
        return found


def container(deployment):
    only, = deployment["spec"]["template"]["spec"]["containers"]
    return only


def ports(deployment):
    return {port["name"]: port["containerPort"] for port in container(deployment)["ports"]}


def check_selectors(manifests):
    for deployment in manifests.all("Deployment"):
        if manifests.selected(deployment["spec"]["selector"]["matchLabels"]) != [deployment]:
            wrong(name_of(deployment), "its selector is not that of its own pods alone")
    for kind, read_selector in [
        ("Service", lambda thing: thing["spec"]["selector"]),
        ("PodDisruptionBudget", lambda thing: thing["spec"]["selector"]["matchLabels"]),
    ]:
        for thing in manifests.all(kind):
            chosen = manifests.selected(read_selector(thing))
            if [deployment["metadata"]["name"] for deployment in chosen] != [thing["metadata"]["name"]]:
                wrong(name_of(thing), "does not select the pods of its name alone")
            for port in thing["spec"].get("ports", []):
                if chosen and port["targetPort"] not in ports(chosen[0]):
                    wrong(name_of(thing), f"there is no port {port['targetPort']}")
    for deployment in manifests.all("Deployment"):
        if manifests.get("PodDisruptionBudget", deployment["metadata"]["name"]) is None:
            wrong(name_of(deployment), "has no budget of disruptions")


def check_network(manifests):
    for policy in manifests.all("NetworkPolicy"):
        labels = policy["spec"]["podSelector"].get("matchLabels")
        chosen = manifests.all("Deployment") if labels is None else manifests.selected(labels)
        if not chosen:
            wrong(name_of(policy), "is about no pod")
        for rule in policy["spec"].get("ingress", []):
            for port in rule["ports"]:
                if any(port["port"] not in ports(deployment) for deployment in chosen):
                    wrong(name_of(policy), f"there is no port {port['port']}")
        for rule in policy["spec"].get("ingress", []) + policy["spec"].get("egress", []):
            for peer in rule.get("from", []) + rule.get("to", []):
                if "podSelector" in peer and not manifests.selected(peer["podSelector"]["matchLabels"]):
                    wrong(name_of(policy), "names pods that there are not")
        for rule in policy["spec"].get("egress", []):
            for peer in [peer for peer in rule.get("to", []) if "podSelector" in peer]:
                for target in manifests.selected(peer["podSelector"]["matchLabels"]):
                    if any(port["port"] not in ports(target).values() for port in rule["ports"]):
                        wrong(name_of(policy), f"{name_of(target)} does not listen there")


def check_pods(manifests):
    for deployment in manifests.all("Deployment"):
        where, pod, only = name_of(deployment), deployment["spec"]["template"]["spec"], container(deployment)
        held = {**pod["securityContext"], **only["securityContext"]}
        for key, value in [("runAsNonRoot", True), ("readOnlyRootFilesystem", True), ("allowPrivilegeEscalation", False),
                           ("capabilities", {"drop": ["ALL"]}), ("seccompProfile", {"type": "RuntimeDefault"})]:
            if held.get(key) != value:
                wrong(where, f"{key} is {held.get(key)}")
        if pod.get("automountServiceAccountToken") is not False:
            wrong(where, "has a token for the cluster")
        if not {"cpu", "memory"} <= only["resources"]["requests"].keys() or "memory" not in only["resources"]["limits"]:
            wrong(where, "has no bounds of memory or processor")
        mounted, there = {mount["name"] for mount in only["volumeMounts"]}, {volume["name"] for volume in pod["volumes"]}
        if mounted != there:
            wrong(where, f"mounts {sorted(mounted)} of {sorted(there)}")
        for volume in pod["volumes"]:
            for source, kind, key in [("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName"),
                                      ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName")]:
                if source not in volume:
                    continue
                holder = manifests.get(kind, volume[source][key])
                if holder is None:
                    wrong(where, f"there is no {kind} {volume[source][key]}")
                for item in volume[source].get("items", []):
                    if holder is not None and item["key"] not in holder["data"]:
                        wrong(where, f"{name_of(holder)} has no {item['key']}")
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"]:
            asked = only.get(probe)
            if asked is None:
                wrong(where, f"has no {probe}")
            elif "httpGet" in asked and asked["httpGet"]["port"] not in ports(deployment):
                wrong(where, f"{probe}: there is no port {asked['httpGet']['port']}")


def check_grace(deployment, drain):
    pod = deployment["spec"]["template"]["spec"]
    pause = container(deployment)["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed = pause + drain + SLACK_SECONDS
    if pod["terminationGracePeriodSeconds"] < needed:
        wrong(name_of(deployment), f"terminationGracePeriodSeconds is below {needed:.0f}: preStop {pause}, drain {drain:.0f}, {SLACK_SECONDS} more")


def lay_out(manifests, deployment, root):
    """The files that the container finds, below `root`, with modes that a process of root's takes too."""
    pod = deployment["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in container(deployment)["volumeMounts"]:
        folder, volume = root / mount["mountPath"].lstrip("/"), volumes[mount["name"]]
        folder.mkdir(parents=True, exist_ok=True)
        if "configMap" in volume:
            for key, text in manifests.get("ConfigMap", volume["configMap"]["name"])["data"].items():
                (folder / key).write_text(text)
        if "secret" in volume:
            data = manifests.get("Secret", volume["secret"]["secretName"])["data"]
            for key in [item["key"] for item in volume["secret"].get("items", [])] or data:
                (folder / key).write_bytes(base64.b64decode(data[key]))
                (folder / key).chmod(0o600)


def check_edge(manifests, binary, repository, root):
    """What the ConfigMap says, as the binary understands it. Returns it."""
    edge = manifests.get("Deployment", "edge")
    lay_out(manifests, edge, root)
    # What is in the image.
    (root / "etc/portcullis/portcullis.toml").write_text((repository / "deploy/portcullis.toml").read_text())
    settings = {name: str(root) + value if value.startswith("/") else value for name, value in manifests.environment(edge).items()}
    settings |= {"PORTCULLIS_STATIC": str(repository / "static"), "PORTCULLIS_STATE": str(root / "state"),
                 "PORTCULLIS_ATTACHMENTS": str(root / "srv/attachments")}
    run = lambda *arguments: subprocess.run([binary, *arguments], env=settings, capture_output=True, text=True)
    checked = run("check")
    if checked.returncode != 0:
        wrong("ConfigMap edge", f"portcullis check: {checked.stdout}{checked.stderr}")
        return None
    config = tomllib.loads(run("config", "print").stdout)
    check_grace(edge, seconds(config["server"]["drain_timeout"]))
    listeners = {name: int(listener["address"].rsplit(":", 1)[1]) for name, listener in config["listener"].items()}
    if listeners != ports(edge):
        wrong(name_of(edge), f"has the ports {ports(edge)}, its configuration {listeners}")
    if config["listener"]["http"]["redirect_to_https"] not in [port["port"] for port in manifests.get("Service", "edge")["spec"]["ports"]]:
        wrong("Service edge", "does not publish the port to which clients are redirected")
    if not config["admin"]["address"].startswith("127.0.0.1:"):
        wrong(name_of(edge), "the admin listener can be reached by others")
    if config["site"]["public"]["hosts"] != [config["issuer"]["app"]["iss"].removeprefix("https://")]:
        wrong("ConfigMap edge", "its host is not that of the issuer")
    return config


def check_app(manifests, config):
    app, edge = manifests.get("Deployment", "app"), manifests.get("Deployment", "edge")
    settings = manifests.environment(app)
    check_grace(app, seconds(settings["PORTCULLIS_APP_DRAIN_TIMEOUT"]))
    port = int(settings["PORTCULLIS_APP_LISTEN"].rsplit(":", 1)[1])
    if ports(app) != {"http": port}:
        wrong(name_of(app), f"has the ports {ports(app)}, and listens on {port}")
    for probe, path in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]:
        if container(app)[probe]["httpGet"]["path"] != path:
            wrong(name_of(app), f"{probe} does not ask {path}")
    service = manifests.get("Service", "app")
    if service["spec"].get("clusterIP") != "None":
        wrong("Service app", "is not headless: the edges see one address for all instances")
    if manifests.environment(edge)["PORTCULLIS_APP_ENDPOINT"] != f"app:{service['spec']['ports'][0]['port']}":
        wrong(name_of(edge), "asks for another service than app, or another port")
    # An address that is new must be known before the next old one goes.
    every = seconds(config["upstream"]["app"]["resolve_every"])
    if app["spec"].get("minReadySeconds", 0) < every:
        wrong(name_of(app), f"minReadySeconds is below {every}: not every edge has looked by then")
    if settings["PORTCULLIS_APP_ISSUER"] != manifests.environment(edge)["PORTCULLIS_ISSUER"]:
        wrong(name_of(app), "names another issuer than the edges")
    for variable in ["PORTCULLIS_APP_ASSERTION_KEY", "PORTCULLIS_APP_SEALING_KEY"]:
        folder, key = os.path.split(settings[variable])
        mount = next((mount for mount in container(app)["volumeMounts"] if mount["mountPath"] == folder), None)
        if mount is None or key not in manifests.get("Secret", "keys")["data"]:
            wrong(name_of(app), f"{variable} names a file that is not mounted")


def main(binary, repository, folder):
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        things = read(folder) + secrets(repository, work)
        check_schemas(things)
        manifests = Manifests(things)
        check_selectors(manifests)
        check_network(manifests)
        check_pods(manifests)
        config = check_edge(manifests, binary, repository, work / "root")
        if config is not None:
            check_app(manifests, config)
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
