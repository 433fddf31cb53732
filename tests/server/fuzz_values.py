"""Values that the fuzzer puts into inputs: likely ones, and those that something might stumble over."""

IDS = ("Run", "Sweep", "Agent", "Artifact", "ArtifactCollection", "ArtifactManifest", "View", "File", "Project")
ODD = [
    *("", " ", ".", "..", "../../x", "/etc/passwd", "a/../../b", "a\nb", "a\\b", "top 5%", "\u2028", "C:\\x", "nul\0"),
    *("\ud800", "é" * 300, "x" * 5000, "-created_at", "%a" * 3000),
    *("{}", "[]", "{", "null", "[" * 2000, '{"a":NaN}', "-1", "9" * 5000, "1e999", "²", "%00", "%2e%2e%2f", "'; --"),
    *('{"$or":[{"name":"r"}]}', '{"name":{"$regex":"(a+)+$"}}', '{"config.a":{"$in":[1,"x",null]}}'),
    *('{"keys":["x"],"samples":5}', '{"keys":3}', '{"keys":["_step"],"minStep":0}', "v0", "latest", "m:latest", "m:v0"),
    *("0:1", "99999:x", "-5:1", "\u0661:1", "finished", "RUNNING", "PAUSED", "+summary_metrics.x", "config.x"),
    "method: random\nparameters: {x: {min: 0, max: 1}}",
    '{"method":"bayes","metric":{"name":"x"},"parameters":{"a":{"values":[1,2]}}}',
    "method: grid\nparameters: {a: {values: [1]}, b: 3}",
    "&a [*a, *a]",
]
NUMBERS = [0, 1, -1, 3, 100, 10**6, 2**31 - 1, -(2**31), 2**31, 2**53, 2**63, -(2**64), 1e308, -0.5, 10**400]
NUMBERS += [2**70]

FILTERS = [
    *("{}", "[]", "3", '{"$and":[]}', '{"$or":3}', '{"$not":{"name":"r"}}', '{"name":{"$regex":"^r"}}', '{"config":1}'),
    *('{"config.x.value":{"$gte":1}}', '{"createdAt":{"$lt":"yesterday"}}', '{"name":{"$in":' + str([1] * 300) + "}}"),
    *(
        '{"name":{"$regex":"^R","$options":"i"}}',
        '{"name":{"$regex":"r","$options":"x"}}',
        '{"name":{"$options":"i"}}',
        '{"name":{"$regex":["a"]}}',
        '{"name":{"$regex":"\\ud800"}}',
        '{"name":{"$regex":"(?=r)(a)\\\\1"}}',
        '{"name":{"$regex":"(x{1000}){1000}"}}',
        '{"name":{"$regex":"' + "(a|a)" * 50 + 'b"}}',
        '{"notes":{"$regex":"[ab]*a[ab]{900}[cd]"}}',
    ),
    *('{"state":"COMMITTED"}', '{"name":{"$regex":"(a+)+$"}}', '{"tags":{"$ne":null}}', '{"versionIndex":0}'),
    *(
        '{"$nor":' * 30 + "[]" + "}" * 30,
        '{"summary_metrics.x":' + "9" * 400 + "}",
        '{"name":{"$exists":"x"}}',
        '{"config.a.0.b":{"$in":[null,[1],{"a":NaN},true]},"config.x":{"$ne":null}}',
        '{"summary_metrics.x":{"$gte":NaN},"tags":{"$lt":["a"]}}',
        '{"$or":[' + ",".join(f'{{"name":"r{i}"}}' for i in range(1500)) + "]}",
        '{"$nor":[' + ",".join(f'{{"config.k{i}":1}}' for i in range(300)) + "]}",
    ),
]
SWEEPS = [
    *("{}", "- a", "method: grid", "method: random\nparameters: {x: {min: 0, max: 1}}", "&a [*a]", "a: &b {c: *b}"),
    *("method: grid\nparameters: {a: {values: []}}", "method: bayes\nmetric: 3\nparameters: {a: {values: [1]}}"),
    *("method: bayes\nmetric: {name: x}\nparameters: {a: {min: 1, max: 0}}", "method: random\nparameters: 7"),
    *("method: random\nparameters: {a: {distribution: q_log_normal, mu: 1e300, sigma: -1, q: 0}}", "!!python/none"),
    "method: random\nparameters: {a: {min: 0, max: 1}}\nearly_terminate: {type: hyperband, min_iter: 0}",
    "method: grid\nparameters: {a: {distribution: int_uniform, min: 0, max: 99999999999}}\nrun_cap: -1",
    'method: grid\nname: "\\ud800"\nparameters: {a: {values: ["\\udc00"]}}',
    f"method: random\nrun_cap: {2**40}\nparameters: {{a: {{min: {1 - 2**63}, max: {2**63 - 1}}}}}",
    f"method: random\nrequeue: {2**70}\nparameters: {{a: {{min: 0, max: {2**70}}}}}",
]
SWEEPS += ["[" * 2000, "- " * 3000, "? " * 3000, "a: [" + "[]," * 70_000, "x" * 300_000]
SWEEPS += ["a: &a [x, x]\nb: &b [*a, *a]\nmethod: grid\nparameters: {p: {values: [*b, *b]}}"]
WIDE = ["[" + "[]," * 500_001 + "[]]", '{"files": {"output.log": [' + "{}," * 500_001 + "3]}}", '["' + '\\"' * 500_001]
SPECS = [
    '{"keys":["x"],"samples":5}',
    '{"keys":3}',
    '{"keys":["_step"],"minStep":0}',
    '{"keys":[[]]}',
    "[]",
    '{"samples":-1}',
]
SPECS += ['{"keys":["_step","x"],"samples":1e9}', '{"keys":["x"],"minStep":"a"}', '{"keys":{},"maxStep":1e400}']
ROWS = [
    *('{"_step":1,"x":2}', '{"_step":2,"x":NaN,"epoch":1}', '{"_step":3,"x":-1e308}', '{"_step":4,"x":1e308}'),
    *('{"_step":5,"x":5e-324}', '{"_step":1152921504606846977,"x":Infinity}', '{"_step":1e300}', '{"_step":"a"}'),
    *('{"x":{"y":{"z":1}},"val/x":1}', '{"x":{"_type":"image-file","height":4,"path":[]}}'),
    *(
        '{"x":{"_type":"images/separated","filenames":3}}',
        '{"\\ud800":1,"\\n":"\\udfff"}',
        '{"":0,"train/":1,"val/":2}',
    ),
    '{"x":{"_type":"images/separated","filenames":["a.txt"],"captions":[1],"all_masks":{"a":1}}}',
]
FILE_NAMES = ["line\nbreak", "back\\slash", "tab\t", "per%cent%", "space ", "dot.", "n" * 255, "e\u0301", "\ud800"]
DEFINITIONS = [
    '{"_wandb":{"value":{"m":[{"1":"epoch"},{"1":"x","5":1},{"2":"val/*","5":2},{"2":"*","5":9}]}}}',
    '{"_wandb":{"value":{"m":[{"1":"x","5":1},3,{"5":[]},{"1":{},"2":"("}]}}}',
    '{"\\ud800":{"value":"\\udc00"}}',
]
HINTS = {
    "after": ["0:1", "99999:x", "-5:1", "\u0661:1", "9" * 5000, ":", "0:", "1", "x"],
    "filters": FILTERS,
    "order": ["-created_at", "+name", "config.x", "-summary_metrics.x", "nonsense", "", "+", "createdAt"],
    "config": [*SWEEPS, *DEFINITIONS, '{"a":{"value":1}}', "{}"],
    "specs": SPECS,
    "priorRunsFilters": FILTERS,
    "state": ["running", "finished", "RUNNING", "PAUSED", "CANCELED", "x", "pending", "preempted"],
    "aliasName": ["v0", "latest", "v" + "9" * 30, "x", ""],
    "alias": ["best", "latest", "v0", "..", "a:b", "top 5%"],
    "tagName": ["good", ".", "a/b"],
    "pattern": ["%", "%.txt", "%a" * 3000, "_" * 1001],
    "files": [*FILE_NAMES, "a.txt", "../x", "media/a.png", "<File>", "wandb-summary.json"],
    "runState": ['{"r":true}', "[]", '{"r":{}}', "3"],
    "summaryMetrics": ['{"x":1}', '{"x":NaN}', "[]", '{"a":' * 3000 + "1" + "}" * 3000, '{"x":' + "9" * 5000 + "}"],
    "metadata": ['{"x":1}', "[]", "x"],
    "controller": ['{"schedule":[{"id":"a","data":{"args":{"x":{"value":1}}}}]}', '{"schedule":3}', "[]", "{}"],
    "scheduler": ['{"scheduled":[]}', "[]", "x"],
    "spec": ["{}", "x", '{"version":5}'],
}
