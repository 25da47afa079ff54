"""What must hold of a SARIF log."""


def faults(log, library=True):
    """What is wrong with it, by the rules of SARIF 2.1.0 that its schema cannot leave out. library: a fault library was asked."""
    wrong = []

    def need(ok, what):
        if not ok:
            wrong.append(what)

    need(log.get("version") == "2.1.0" and log.get("$schema", "").endswith("sarif-schema-2.1.0.json") and set(log) == {"$schema", "version", "runs"}, "top")
    for r in log["runs"]:
        driver = r["tool"]["driver"]
        rules = [x["id"] for x in driver["rules"]]
        need(driver["name"] == "Tocsin" and len(set(rules)) == len(rules), "driver")
        need(set(r) <= {"tool", "results", "originalUriBaseIds", "invocations", "columnKind", "versionControlProvenance"}, "run")
        for rule in driver["rules"]:
            need(set(rule) <= {"id", "name", "shortDescription", "fullDescription", "help", "defaultConfiguration", "properties"}, "rule members")
            need(rule.get("help", {"text": "x"})["text"] and rule.get("defaultConfiguration", {"level": "error"})["level"] in ("error", "warning", "note", "none"), "rule")
        for x in r["results"]:
            need(rules[x["ruleIndex"]] == x["ruleId"], "ruleIndex")
            need(x["message"]["text"] and x["level"] in ("error", "warning", "note"), "message")
            need(x.get("baselineState") in (("new", "unchanged", "updated", "absent") if library else (None,)), "baselineState")
            need(all(isinstance(v, str) for v in x.get("partialFingerprints", {}).values()), "partialFingerprints")
            need(x.get("occurrenceCount", 1) >= 1, "occurrenceCount")
            for place in x["locations"]:
                file = place.get("physicalLocation")
                if file:
                    uri = file["artifactLocation"]["uri"]
                    need(not uri.startswith("/") and " " not in uri and file["artifactLocation"]["uriBaseId"] in r["originalUriBaseIds"], "uri " + uri)
                    region = file.get("region", {"startLine": 1})
                    begin, end = (region["startLine"], region.get("startColumn", 1)), (region.get("endLine", region["startLine"]), region.get("endColumn", 1 << 30))
                    need(region["startLine"] >= 1 and region.get("startColumn", 1) >= 1 and begin <= end, "region")
                need(all(k in ("fullyQualifiedName", "kind") for y in place.get("logicalLocations", []) for k in y), "logicalLocations")
    return wrong
