"""The GraphQL operations of a push: those that the wandb client sends during a run."""

UPSERT_RUN = """mutation UpsertBucket($name: String, $project: String, $entity: String, $groupName: String,
    $description: String, $displayName: String, $notes: String, $commit: String, $config: JSONString, $host: String,
    $program: String, $repo: String, $jobType: String, $state: String, $sweep: String, $tags: [String!],
    $summaryMetrics: JSONString) {
  upsertBucket(input: {name: $name, groupName: $groupName, modelName: $project, entityName: $entity,
      description: $description, displayName: $displayName, notes: $notes, config: $config, commit: $commit,
      host: $host, jobProgram: $program, jobRepo: $repo, jobType: $jobType, state: $state, sweep: $sweep, tags: $tags,
      summaryMetrics: $summaryMetrics}) { bucket { id name } inserted } }"""

RUN_STATUS = """query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) { bucket(name: $name, missingOk: true) {
      id state config summaryMetrics historyLineCount eventsLineCount logLineCount } } }"""

RUN_FILES = """query RunFiles($project: String!, $entity: String!, $name: String!, $after: String, $first: Int) {
  project(name: $project, entityName: $entity) { run(name: $name) {
      files(names: [], after: $after, first: $first) {
        edges { node { name md5 } cursor } pageInfo { hasNextPage endCursor } } } } }"""

CREATE_RUN_FILES = """mutation CreateRunFiles($entity: String!, $project: String!, $run: String!, $files: [String!]!) {
  createRunFiles(input: {entityName: $entity, projectName: $project, runName: $run, files: $files}) {
    uploadHeaders files { name uploadUrl } } }"""

SWEEPS = """query GetSweeps($project: String!, $entity: String!, $after: String, $first: Int) {
  project(name: $project, entityName: $entity) { sweeps(after: $after, first: $first) {
      edges { node { id name state description } cursor } pageInfo { hasNextPage endCursor } } } }"""

UPSERT_SWEEP = """mutation UpsertSweep($id: ID, $config: String, $description: String, $entityName: String,
    $projectName: String, $controller: JSONString, $scheduler: JSONString, $state: String, $displayName: String) {
  upsertSweep(input: {id: $id, config: $config, description: $description, entityName: $entityName,
      projectName: $projectName, controller: $controller, scheduler: $scheduler, state: $state,
      displayName: $displayName}) { sweep { id name state } configValidationWarnings } }"""

CREATE_ARTIFACT = """mutation CreateArtifact($input: CreateArtifactInput!) {
  createArtifact(input: $input) { artifact { id state } } }"""

CREATE_ARTIFACT_FILES = """mutation CreateArtifactFiles($input: CreateArtifactFilesInput!) {
  createArtifactFiles(input: $input) { files { edges { node { uploadUrl uploadHeaders } } } } }"""

CREATE_MANIFEST = """mutation CreateArtifactManifest($artifactID: ID!, $name: String!, $digest: String!,
    $entityName: String!, $projectName: String!, $runName: String!) {
  createArtifactManifest(input: {artifactID: $artifactID, name: $name, digest: $digest, entityName: $entityName,
      projectName: $projectName, runName: $runName, type: FULL}) {
    artifactManifest { id file { uploadUrl uploadHeaders } } } }"""

COMMIT_ARTIFACT = """mutation CommitArtifact($artifactID: ID!) {
  commitArtifact(input: {artifactID: $artifactID}) { artifact { id } } }"""

ADD_ALIASES = """mutation AddAliases($input: AddAliasesInput!) { addAliases(input: $input) { success } }"""

USE_ARTIFACT = """mutation UseArtifact($input: UseArtifactInput!) { useArtifact(input: $input) { artifact { id } } }"""

LINK_ARTIFACT = """mutation LinkArtifact($artifactPortfolioName: String!, $entityName: String!, $projectName: String!,
    $aliases: [ArtifactAliasInput!], $artifactId: ID) {
  linkArtifact(input: {artifactPortfolioName: $artifactPortfolioName, entityName: $entityName,
      projectName: $projectName, aliases: $aliases, artifactID: $artifactId}) { versionIndex } }"""
