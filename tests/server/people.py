"""People of one server, and the requests with which they make things."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.store import folder_transaction, users
from tests.server.running import Server, start

UPSERT = """mutation UpsertBucket($entity: String, $project: String, $name: String) {
  upsertBucket(input: {entityName: $entity, modelName: $project, name: $name, config: "{}"}) {
    bucket { id name project { id name entity { name } } user { username } } } }"""


SWEEP = """mutation UpsertSweep($entity: String, $config: String) {
  upsertSweep(input: {entityName: $entity, projectName: "p", config: $config}) { sweep { id name } } }"""


ARTIFACT = """mutation CreateArtifact($entity: String!, $client: ID, $name: String) { createArtifact(input: {
  entityName: $entity, projectName: "p", runName: "r", artifactTypeName: "model", artifactCollectionName: $name,
  digest: "d", clientID: $client}) { artifact { id state artifactSequence { id } } } }"""


MANIFEST = """mutation CreateArtifactManifest($entity: String!, $id: ID!) {
  createArtifactManifest(input: {artifactID: $id,
  name: "wandb_manifest.json", digest: "x", entityName: $entity, projectName: "p", type: FULL}) {
    artifactManifest { id file { uploadUrl } } } }"""


FILES = """mutation CreateArtifactFiles($id: ID!, $md5: String!) { createArtifactFiles(input: {artifactFiles: [
  {artifactID: $id, name: "secret.txt", md5: $md5}]}) { files { edges { node { uploadUrl } } } } }"""


COMMIT = """mutation CommitArtifact($id: ID!) { commitArtifact(input: {artifactID: $id}) { artifact { id state } } }"""


RUN_FILES = """mutation CreateRunFiles($entity: String!) { createRunFiles(input: {entityName: $entity, projectName: "p",
  runName: "r", files: ["a.txt"]}) { runID files { uploadUrl } } }"""


SECRET = b"what only anna knows"


MD5 = base64.b64encode(hashlib.md5(SECRET).digest()).decode()


@dataclass
class People:
    server: Server
    keys: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    def start(cls, folder: Path, names: str, *grants: tuple[str, str, str]) -> "People":
        """A server of these people; `grants`: who, entity, role."""
        server, keys = start(folder), {name: users.new_key() for name in names.split()}
        with folder_transaction(server.folder) as db:
            for name, key in keys.items():
                users.add(db, name, key, 0.0)
            for grant in grants:
                users.grant(db, *grant)
        return cls(server, {**keys, "local": server.key})

    def ask(self, who: str, query: str, **variables: Any) -> Any:
        """The data of an answer; raises its error."""
        status, answer = self.server.graphql(query, key=self.keys[who], **variables)
        if "errors" in answer:
            raise LookupError(answer["errors"][0]["message"])
        assert status == 200
        return answer["data"]

    def page(self, who: str, path: str) -> tuple[int, str]:
        status, body = self.server.get(path, Authorization=self.server.basic(self.keys[who]))
        return status, body.decode()

    def upload(self, who: str, entity: str, content: bytes, client: str) -> Any:
        """An artifact with one file, up to the commit; `uploadUrl` of the file."""
        new = self.ask(who, ARTIFACT, entity=entity, client=client, name="m")["createArtifact"]["artifact"]
        md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
        made = self.ask(who, MANIFEST, entity=entity, id=new["id"])["createArtifactManifest"]["artifactManifest"]
        body = {"version": 1, "contents": {"secret.txt": {"digest": md5, "size": len(content)}}}
        assert self.server.send("PUT", made["file"]["uploadUrl"], json.dumps(body).encode())[0] == 200
        [edge] = self.ask(who, FILES, id=new["id"], md5=md5)["createArtifactFiles"]["files"]["edges"]
        return {**new, "manifest": made, "uploadUrl": edge["node"]["uploadUrl"]}
