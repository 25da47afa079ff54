#!/usr/bin/env python3
"""Did Tocsin see what is planted? usage: demo-check.py REPORT EXIT_STATUS OUTCOME[,OUTCOME]:CAUSE[,CAUSE]"""
import json
import sys


def main():
    path, status, want = sys.argv[1:]
    outcomes, causes = (words.split(",") for words in want.split(":"))
    try:
        with open(path, encoding="utf-8") as f:
            report = json.load(f)
    except (OSError, ValueError) as why:
        sys.exit(f"demo: no report could be read: {why}")
    verdict = report["verdict"]
    found = {finding["cause"] for finding in report["findings"]}
    wrong = []
    if verdict["outcome"] not in outcomes:
        wrong.append(f"the outcome is '{verdict['outcome']}', expected '{' or '.join(outcomes)}'")
    wrong += [f"there is no finding with the cause '{cause}'" for cause in causes if cause not in found]
    if status == "0" or int(status) != verdict["exit_code"]:
        wrong.append(f"the exit status is {status}, the report says {verdict['exit_code']}")
    if wrong:
        sys.exit("demo: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
