"""Values that the fuzzer puts into inputs: likely ones, and those that something might stumble over."""

IDS = (
    "Run",
    "Sweep",
    "Agent",
    "Artifact",
    "ArtifactCollection",
    "ArtifactManifest",
    "View",
    "File",
    "Project",
)
ODD = [
    *(
        "",
        " ",
        ".",
        "..",
        "../../x",
        "/etc/passwd",
        "a/../../b",
        "C:\\x",
        "nul\0",
        "\ud800",
        "é" * 300,
        "x" * 5000,
    ),
    *(
        "{}",
        "[]",
        "{",
        "null",
        "[" * 2000,
        '{"a":NaN}',
        "-1",
        "9" * 5000,
        "1e999",
        "²",
        "%00",
        "%2e%2e%2f",
        "'; --",
    ),
    *(
        '{"$or":[{"name":"r"}]}',
        '{"name":{"$regex":"(a+)+$"}}',
        '{"config.a":{"$in":[1,"x",null]}}',
        "-created_at",
    ),
    *(
        '{"keys":["x"],"samples":5}',
        '{"keys":3}',
        '{"keys":["_step"],"minStep":0}',
        "v0",
        "latest",
        "m:latest",
        "m:v0",
    ),
    *(
        "0:1",
        "99999:x",
        "-5:1",
        "\u0661:1",
        "finished",
        "RUNNING",
        "PAUSED",
        "+summary_metrics.x",
        "config.x",
    ),
    "method: random\nparameters: {x: {min: 0, max: 1}}",
    '{"method":"bayes","metric":{"name":"x"},"parameters":{"a":{"values":[1,2]}}}',
    "method: grid\nparameters: {a: {values: [1]}, b: 3}",
    "&a [*a, *a]",
]
NUMBERS = [0, 1, -1, 3, 100, 10**6, 2**31 - 1, -(2**31), 2**31, 2**53, 2**63, -(2**64), 1e308, -0.5, 10**400]
NUMBERS += [2**70]

FILTERS = [
    *(
        "{}",
        "[]",
        "3",
        '{"$and":[]}',
        '{"$or":3}',
        '{"$not":{"name":"r"}}',
        '{"name":{"$regex":"^r"}}',
        '{"config":1}',
    ),
    *(
        '{"config.x.value":{"$gte":1}}',
        '{"createdAt":{"$lt":"yesterday"}}',
        '{"name":{"$in":' + str([1] * 300) + "}}",
    ),
    *('{"state":"COMMITTED"}', '{"name":{"$regex":"(a+)+$"}}', '{"tags":{"$ne":null}}', '{"versionIndex":0}'),
    *(
        '{"$nor":' * 30 + "[]" + "}" * 30,
        '{"summary_metrics.x":' + "9" * 400 + "}",
        '{"name":{"$exists":"x"}}',
    ),
]
SWEEPS = [
    *(
        "{}",
        "- a",
        "method: grid",
        "method: random\nparameters: {x: {min: 0, max: 1}}",
        "&a [*a]",
        "a: &b {c: *b}",
    ),
    *(
        "method: grid\nparameters: {a: {values: []}}",
        "method: bayes\nmetric: 3\nparameters: {a: {values: [1]}}",
    ),
    *("method: bayes\nmetric: {name: x}\nparameters: {a: {min: 1, max: 0}}", "method: random\nparameters: 7"),
    *(
        "method: random\nparameters: {a: {distribution: q_log_normal, mu: 1e300, sigma: -1, q: 0}}",
        "!!python/none",
    ),
    "method: random\nparameters: {a: {min: 0, max: 1}}\nearly_terminate: {type: hyperband, min_iter: 0}",
    "method: grid\nparameters: {a: {distribution: int_uniform, min: 0, max: 99999999999}}\nrun_cap: -1",
    f"method: random\nrun_cap: {2**40}\nparameters: {{a: {{min: {1 - 2**63}, max: {2**63 - 1}}}}}",
    f"method: random\nrequeue: {2**70}\nparameters: {{a: {{min: 0, max: {2**70}}}}}",
]
SPECS = [
    '{"keys":["x"],"samples":5}',
    '{"keys":3}',
    '{"keys":["_step"],"minStep":0}',
    '{"keys":[[]]}',
    "[]",
    '{"samples":-1}',
]
SPECS += [
    '{"keys":["_step","x"],"samples":1e9}',
    '{"keys":["x"],"minStep":"a"}',
    '{"keys":{},"maxStep":1e400}',
]
HINTS = {
    "after": ["0:1", "99999:x", "-5:1", "\u0661:1", "9" * 5000, ":", "0:", "1", "x"],
    "filters": FILTERS,
    "order": ["-created_at", "+name", "config.x", "-summary_metrics.x", "nonsense", "", "+", "createdAt"],
    "config": [*SWEEPS, '{"a":{"value":1}}', "{}"],
    "specs": SPECS,
    "priorRunsFilters": FILTERS,
    "state": ["running", "finished", "RUNNING", "PAUSED", "CANCELED", "x", "pending", "preempted"],
    "aliasName": ["v0", "latest", "v" + "9" * 30, "x", ""],
    "files": ["a.txt", "../x", "media/a.png", "<File>", "wandb-summary.json"],
    "runState": ['{"r":true}', "[]", '{"r":{}}', "3"],
    "summaryMetrics": [
        '{"x":1}',
        '{"x":NaN}',
        "[]",
        '{"a":' * 3000 + "1" + "}" * 3000,
        '{"x":' + "9" * 5000 + "}",
    ],
    "metadata": ['{"x":1}', "[]", "x"],
    "controller": [
        '{"schedule":[{"id":"a","data":{"args":{"x":{"value":1}}}}]}',
        '{"schedule":3}',
        "[]",
        "{}",
    ],
    "scheduler": ['{"scheduled":[]}', "[]", "x"],
    "spec": ["{}", "x", '{"version":5}'],
}
