#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drives gpuio without a terminal: results, JSON, errors, exit codes, Ctrl-C. GPUIO_CLI names the program."""

import json
import os
import re
import signal
import subprocess
import time
import unittest
from xml.etree import ElementTree

from cli_fixture import GPUIO, MIB, CliTest, environment, run, safetensors_bytes

DOCS = os.path.join(os.path.dirname(__file__), "..", "..", "docs")
ESCAPE = "\x1b"
# 8 MiB/s: a load of 64 MiB takes as long as a test needs to interrupt it.
SLOW = {"GPUIO_SCHEDULER_BANDWIDTH_BULK_BYTES_PER_SECOND": "8MiB"}


class Load(CliTest):
    def test_a_file_is_loaded_and_every_byte_verified(self):
        path = self.write_random("a.bin", 3 * MIB + 17)
        report = self.run_json("load", path, "--device", "host")
        self.assertEqual(list(report), ["schema", "device", "files", "tensors", "bytes", "batches", "cache", "seconds",
                                        "bytes_per_second", "run_seconds", "limit", "read_loop", "paths", "verified"])
        self.assertEqual(report["schema"], "gpuio.load/1")
        self.assertEqual(report["bytes"], 3 * MIB + 17)
        self.assertEqual(report["verified"]["bytes"], 3 * MIB + 17)
        self.assertTrue(report["verified"]["ok"])
        self.assertGreater(report["limit"]["bytes_per_second"], 0)
        self.assertEqual(report["read_loop"]["bytes"], 3 * MIB + 17)
        self.assertEqual(sum(path["bytes"] for path in report["paths"]), 3 * MIB + 17)

    def test_the_table_says_rate_limit_loop_path_and_verification(self):
        result = self.run_ok("load", self.write_random("a.bin", MIB), "--device", "host")
        for words in ("gpuio ", "limit here", "read() loop", "why", "Verified: every byte equals its file's"):
            self.assertIn(words, result.stdout)

    def test_a_folder_gives_every_regular_file_below(self):
        self.write_random("d/a.bin", 1000)
        self.write_random("d/deep/b.bin", 2000)
        self.write("d/empty", b"")
        os.mkfifo(self.path("d/pipe"))
        result = run("load", self.path("d"), "--device", "host", "--json", "--no-compare")
        report = json.loads(result.stdout)
        self.assertEqual((report["files"], report["bytes"]), (2, 3000))
        self.assertIsNone(report["limit"])

    def test_memory_that_is_too_small_is_filled_in_batches(self):
        self.write_random("d/a.bin", 5 * MIB)
        self.write_random("d/b.bin", 1)
        report = self.run_json("load", self.path("d"), "--device", "host", "--memory", "2MiB", "--repeat", "2")
        self.assertEqual((report["batches"], len(report["run_seconds"])), (3, 2))
        self.assertEqual(report["verified"]["bytes"], 2 * (5 * MIB + 1))

    def test_safetensors_load_as_tensors(self):
        data = {f"layer.{i}": bytes([i]) * (1000 + i) for i in range(7)}
        report = self.run_json("load", self.write("m.safetensors", safetensors_bytes(data)), "--device", "host")
        self.assertEqual((report["tensors"], report["bytes"]), (7, 7 * 1000 + 21))
        self.assertTrue(report["verified"]["ok"])

    def test_shards_of_an_index_load_once(self):
        self.write("m/a.safetensors", safetensors_bytes({"a": b"1" * 100}))
        self.write("m/b.safetensors", safetensors_bytes({"b": b"2" * 200}))
        index = {"metadata": {}, "weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}
        self.write("m/model.safetensors.index.json", json.dumps(index).encode())
        report = self.run_json("load", self.path("m"), "--device", "host", "--no-compare")
        self.assertEqual((report["files"], report["tensors"], report["bytes"]), (2, 2, 300))

    def test_more_files_load_than_the_usual_limit_of_open_files(self):
        for i in range(1100):
            self.write(f"d/{i}", b"x" * (i + 1))
        report = self.run_json("load", self.path("d"), "--device", "host")
        self.assertEqual((report["files"], report["bytes"]), (1100, 1100 * 1101 // 2))

    def test_the_disk_is_the_limit_of_what_must_come_from_it(self):
        report = self.run_json("load", self.write_random("a.bin", 32 * MIB), "--device", "host", "--cache", "direct")
        if report["limit"]["disk_bytes_per_second"] is None:
            self.skipTest("the temporary folder's file system has no O_DIRECT")
        slower = min(report["limit"]["disk_bytes_per_second"], report["limit"]["copy_bytes_per_second"])
        self.assertAlmostEqual(report["limit"]["bytes_per_second"] / slower, 1)

    def test_odd_file_names_load(self):
        report = self.run_json("load", self.write_random("d/a b%20c?d#e.bin", 100), "--device", "host", "--no-compare")
        self.assertEqual(report["bytes"], 100)

    def test_bad_inputs_are_named(self):
        whole = safetensors_bytes({"a": b"1" * 1000})
        self.assert_fails(run("load", self.path("missing")), 1, "not_found", self.path("missing"))
        self.assert_fails(run("load", self.write("cut.safetensors", whole[:-1])), 1, "corrupt", "cut.safetensors")
        self.assert_fails(run("load", self.write("junk.safetensors", b"\xff" * 64)), 1, "corrupt", "junk.safetensors")
        self.assert_fails(run("load", "/dev/null"), 1, "invalid_argument", "/dev/null")
        self.assert_fails(run("load", self.write("empty", b"")), 1, "no bytes")
        good = self.write_random("good", 100)
        self.assert_fails(run("load", good, "--device", "cuda:99"), 1, "cuda")
        self.assert_fails(run("load", good, "--device", "toaster"), 1, "toaster")

    def test_an_unreadable_file_is_named(self):
        path = self.write_random("secret", 100)
        os.chmod(path, 0)
        # The superuser reads everything; as nobody the file is out of reach.
        demote = (lambda: os.setuid(65534)) if os.geteuid() == 0 else None
        os.chmod(self.folder, 0o755)
        result = subprocess.run([GPUIO, "load", path], env=environment(), capture_output=True, text=True,
                                preexec_fn=demote, timeout=60)
        self.assert_fails(result, 1, "permission_denied", path)


class Interference(CliTest):
    """Files that change while they are loaded."""

    def load_while(self, change):
        """The result of a load of 32 MiB (4 s) whose file `change` touches after 2 s."""
        path = self.write_random("big.bin", 32 * MIB)
        process = subprocess.Popen([GPUIO, "load", path, "--device", "host", "--json"], env=environment(**SLOW),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        time.sleep(2)
        change(path)
        out, err = process.communicate(timeout=60)
        return process.returncode, json.loads(out), err

    def test_bytes_that_differ_afterwards_exit_3_and_name_the_first(self):
        def overwrite(path):
            with open(path, "r+b") as file:
                first = file.read(1)
                file.seek(0)
                file.write(bytes([first[0] ^ 1]))

        code, report, err = self.load_while(overwrite)
        self.assertEqual(code, 3, err)
        difference = report["verified"]["difference"]
        self.assertFalse(report["verified"]["ok"])
        self.assertEqual((difference["path"], difference["offset"]), (self.path("big.bin"), 0))
        self.assertEqual(difference["expected"], difference["found"] ^ 1)

    def test_a_file_cut_short_fails_with_its_name(self):
        code, report, err = self.load_while(lambda path: os.truncate(path, MIB))
        self.assertEqual((code, report["error"]["code"]), (1, "end_of_file"), err)
        self.assertIn("big.bin", report["error"]["message"])


class Interruption(CliTest):
    def start_slow_load(self, *arguments):
        path = self.write_random("big.bin", 64 * MIB)
        process = subprocess.Popen([GPUIO, "load", path, "--device", "host", *arguments], env=environment(**SLOW),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        time.sleep(1.5)
        self.assertIsNone(process.poll(), "the load was over before it could be interrupted")
        return process

    def test_ctrl_c_cancels_and_exits_130(self):
        process = self.start_slow_load()
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual((process.returncode, out), (130, ""), err)
        self.assertEqual(err, "gpuio: interrupted: what was under way is cancelled and its memory is free\n")

    def test_sigterm_exits_143_and_json_says_cancelled(self):
        process = self.start_slow_load("--json")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 143, err)
        error = json.loads(out)
        self.assertEqual((error["error"]["code"], error["exit_code"]), ("cancelled", 143))


class Copy(CliTest):
    def test_every_byte_arrives(self):
        source = self.write_random("a.bin", 100 * MIB + 7)
        report = self.run_json("copy", source, self.path("b.bin"), "--verify")
        self.assertEqual(list(report), ["schema", "source", "destination", "bytes", "seconds", "bytes_per_second",
                                        "in_place", "verified"])
        self.assertTrue(report["verified"]["ok"])
        with open(source, "rb") as a, open(self.path("b.bin"), "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_an_empty_file_is_copied(self):
        self.run_ok("copy", self.write("a", b""), self.path("b"), "--verify")
        self.assertEqual(os.path.getsize(self.path("b")), 0)

    def test_replace_takes_the_place_and_in_place_keeps_the_rest(self):
        source = self.write("a", b"new")
        self.write("replaced", b"old contents")
        self.write("kept", b"old contents")
        self.run_ok("copy", source, self.path("replaced"))
        self.run_ok("copy", source, self.path("kept"), "--in-place")
        with open(self.path("replaced"), "rb") as replaced, open(self.path("kept"), "rb") as kept:
            self.assertEqual((replaced.read(), kept.read()), (b"new", b"new contents"))

    def test_an_interrupted_copy_leaves_the_destination_and_no_litter(self):
        source = self.write_random("a.bin", 64 * MIB)
        target = self.write("b.bin", b"old")
        process = subprocess.Popen([GPUIO, "copy", source, target], env=environment(**SLOW),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        self.assertEqual((process.returncode, out), (130, ""), err)
        with open(target, "rb") as file:
            self.assertEqual(file.read(), b"old")
        self.assertEqual(sorted(os.listdir(self.folder)), ["a.bin", "b.bin"])

    def test_a_missing_source_makes_no_destination(self):
        self.assert_fails(run("copy", self.path("missing"), self.path("b")), 1, "not_found")
        self.assertEqual(os.listdir(self.folder), [])


class Stat(CliTest):
    def test_a_model_lists_its_tensors(self):
        path = self.write("m.safetensors", safetensors_bytes({"w": b"1" * 30, "b": b"2" * 12}))
        subject = self.run_json("stat", path)["subjects"][0]
        self.assertEqual(list(subject), ["name", "format", "bytes", "resident_bytes", "stores", "metadata", "tensors"])
        self.assertEqual(subject["format"], "safetensors")
        self.assertEqual({t["name"]: t["shape"] for t in subject["tensors"]}, {"w": [30], "b": [12]})
        table = self.run_ok("stat", path, "--tensors").stdout
        self.assertRegex(table, r"w\s+\S+\s+\[30\]\s+30 B")

    def test_a_plain_file_is_bytes_and_says_how_much_is_in_memory(self):
        subject = self.run_json("stat", self.write_random("a", MIB))["subjects"][0]
        self.assertEqual((subject["format"], subject["bytes"], subject["resident_bytes"]), ("bytes", MIB, MIB))
        self.assertIsNone(subject["tensors"])

    def test_errors_are_json_too(self):
        error = self.run_json("stat", self.path("missing"), code=1)
        self.assertEqual(list(error), ["schema", "error", "exit_code"])
        self.assertEqual((error["error"]["code"], error["exit_code"]), ("not_found", 1))


class Config(CliTest):
    def test_origin_tells_file_environment_and_command_line(self):
        file = self.write("c.toml", b'[local]\nqueue_depth_max = 33\n')
        shown = self.run_json("config", "show", "--config", file, "--set", "memory.slab_bytes=4MiB", **SLOW)
        by_key = {setting["key"]: setting for setting in shown["settings"]}
        self.assertEqual(by_key["local.queue_depth_max"]["value"], "33")
        self.assertIn(file + ":2", by_key["local.queue_depth_max"]["origin"])
        self.assertIn("environment", by_key["scheduler.bandwidth_bulk_bytes_per_second"]["origin"])
        self.assertEqual(by_key["memory.slab_bytes"]["origin"], "api")
        self.assertEqual(by_key["memory.huge_pages"]["origin"], "default")

    def test_check_names_file_line_and_the_nearest_key(self):
        self.run_ok("config", "check", self.write("good.toml", b"[local]\nqueue_depth_max = 33\n"))
        bad = self.write("bad.toml", b"[local]\nqueue_depht_max = 33\n")
        self.assert_fails(run("config", "check", bad), 1, bad, "line=2", "local.queue_depth_max")

    def test_bad_settings_stop_every_command(self):
        self.assert_fails(run("doctor", GPUIO_LOCAL_NO_SUCH_KEY="1"), 1, "GPUIO_LOCAL_NO_SUCH_KEY")
        self.assert_fails(run("stat", "/", "--set", "nonsense"), 2, "KEY=VALUE")


class Doctor(CliTest):
    def test_every_finding_has_a_level_and_a_subject(self):
        report = self.run_json("doctor")
        self.assertEqual(list(report), ["schema", "problems", "findings"])
        self.assertIn("io_uring", [finding["subject"] for finding in report["findings"]])
        for finding in report["findings"]:
            self.assertIn(finding["level"], ("ok", "note", "warning", "problem"))
            self.assertTrue(finding["subject"])


class Topology(CliTest):
    def test_this_machine_has_nodes_whose_processors_we_may_use(self):
        report = self.run_json("topology")
        self.assertEqual(list(report), ["schema", "nodes", "offline_nodes", "devices", "cxl", "dax_devices",
                                        "allowed_cpus", "memory_limit_bytes"])
        self.assertEqual(report["schema"], "gpuio.topology/1")
        self.assertTrue(any(node["usable"] for node in report["nodes"]))
        self.assertTrue(set(report["allowed_cpus"]) & {cpu for node in report["nodes"] for cpu in node["cpus"]})

    def test_another_machines_copy_is_shown_with_its_cxl_memory(self):
        report = self.run_json("topology", "--root", self.unpack_tree("two_sockets"))
        self.assertEqual([node["tier"] for node in report["nodes"]], ["dram", "dram", "cxl"])
        self.assertEqual(report["cxl"]["regions"][0]["memories"], ["mem0", "mem1"])
        self.assertEqual(report["memory_limit_bytes"], 768 << 30)
        gpus = [device["node"] for device in report["devices"] if device["kind"] == "accelerator"]
        self.assertEqual(gpus, [0, 0, 1, 1])

    def test_the_table_shows_nodes_devices_links_and_decoders(self):
        text = self.run_ok("topology", "--root", self.unpack_tree("two_sockets")).stdout
        self.assertRegex(text, r"2 +512 GiB +512 GiB +cxl +- +52.0 GB/s, 262 ns +24 +14 +10")
        self.assertRegex(text, r"NVIDIA H100 80GB HBM3 +accelerator +0000:18:00.0 +x16 32 GT/s, 63.0 GB/s")
        self.assertRegex(text, r"nvme3 .*x2 of x4 16 GT/s")
        self.assertRegex(text, r"region0 +512 GiB +ram +mem0 mem1 +2 +dax0.0 \(system_ram\)")
        self.assertRegex(text, r"decoder0.0 +root0 \(root\)")

    def test_the_picture_is_xml_that_names_every_node_and_device(self):
        self.run_ok("topology", "--root", self.unpack_tree("two_sockets"), "--svg", self.path("m.svg"))
        words = {element.text for element in ElementTree.parse(self.path("m.svg")).iter() if element.text}
        self.assertLessEqual({"node 0", "node 1", "node 2", "512 GiB cxl", "NVIDIA H100 80GB HBM3", "nvme3", "mem2",
                              "x2 of x4 16 GT/s"}, words)

    def test_the_picture_in_the_docs_is_the_one_that_is_drawn(self):
        self.run_ok("topology", "--root", self.unpack_tree("two_sockets"), "--svg", self.path("m.svg"))
        with open(self.path("m.svg"), encoding="utf-8") as drawn, \
                open(os.path.join(DOCS, "figures", "topology.svg"), encoding="utf-8") as shown:
            self.assertEqual(drawn.read(), shown.read())

    def test_bad_folders_and_files_are_named(self):
        self.assert_fails(run("topology", "--root", self.path("missing")), 1, "not_found")
        tree = self.unpack_tree("far_node")
        self.write("tree-far_node/sys/devices/system/node/online", b"0-x")
        self.assert_fails(run("topology", "--root", tree), 1, "corrupt", "node/online")
        self.assert_fails(run("topology", "--svg", self.path("no/such/folder.svg")), 1, "not_found", "folder.svg")


class Calibrate(CliTest):
    def calibrate(self, *arguments, **changes):
        """A quick one; --json's report."""
        return self.run_json("calibrate", "--quick", "--no-devices", *arguments, **changes)

    def finding(self, **changes):
        findings = self.run_json("doctor", **changes)["findings"]
        return next(finding for finding in findings if finding["subject"] == "cost model")

    def test_quick_takes_seconds_and_writes_the_model(self):
        file = self.path("new/folder/model.json")
        report = self.calibrate("--output", file)
        self.assertEqual(list(report), ["schema", "file", "seconds", "thresholds", "model"])
        self.assertEqual(report["file"], file)
        self.assertGreater(report["seconds"], 0)
        with open(file, encoding="utf-8") as written:
            self.assertEqual(json.load(written)["model"], report["model"])
        for node in report["model"]["memory"]:
            for rate in ("read_bytes_per_second", "write_bytes_per_second", "copy_bytes_per_second"):
                self.assertGreater(node["one_thread"][rate], 0)
                self.assertGreater(node["all_threads"][rate], 0)
            self.assertGreater(node["load_latency_ns"], 0)

    def test_the_default_place_is_the_cache_folder_and_doctor_finds_it(self):
        place = {"GPUIO_CORE_COST_MODEL": None, "XDG_CACHE_HOME": self.path("cache")}
        self.assertEqual(self.finding(**place)["fix"], "gpuio calibrate")
        self.write("cache/gpuio/cost_model.json", b"an old one")
        result = self.run_ok("calibrate", "--quick", "--no-devices", "--json", **place)
        self.assertEqual(result.stderr, "")
        report = json.loads(result.stdout)
        self.assertEqual(report["file"], self.path("cache/gpuio/cost_model.json"))
        finding = self.finding(**place)
        self.assertEqual(finding["level"], "ok")
        self.assertIn(report["model"]["measured_at"], finding["text"])

    def test_a_model_that_was_changed_is_refused_and_doctor_says_so(self):
        file = self.path("model.json")
        self.calibrate("--output", file)
        with open(file, encoding="utf-8") as written:
            text = written.read()
        with open(file, "w", encoding="utf-8") as damaged:
            damaged.write(text.replace('"cores": ', '"cores": 1'))
        finding = self.finding(GPUIO_CORE_COST_MODEL=file)
        self.assertEqual((finding["level"], finding["fix"]), ("warning", "gpuio calibrate"))
        self.assertIn("damaged", finding["text"])

    def test_tables_say_what_was_measured_and_what_follows(self):
        result = self.run_ok("calibrate", "--quick", "--no-devices", "--folder", self.folder,
                             "--output", self.path("model.json"))
        for words in ("node 0", "random rows", "past them", "durable write", "What the planner takes from it:",
                      "written to " + self.path("model.json")):
            self.assertIn(words, result.stdout)
        self.assertEqual(os.listdir(self.folder), ["model.json"])

    def test_nowhere_to_write_is_an_error(self):
        self.assert_fails(run("calibrate"), 1, "core.cost_model", "--output")

    def test_bad_folders_and_files_are_named(self):
        self.assert_fails(run("calibrate", "--quick", "--no-devices", "--folder", self.path("missing"),
                              "--output", self.path("model.json")), 1, "not_found", self.path("missing"))
        self.assertEqual(os.listdir(self.folder), [])

    def test_ctrl_c_cancels_at_once_and_leaves_no_file(self):
        process = subprocess.Popen([GPUIO, "calibrate", "--no-devices", "--output", self.path("model.json")],
                                   env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        while process.poll() is None and len(os.listdir(f"/proc/{process.pid}/task")) == 1:
            time.sleep(0.01)  # its Context has threads
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        self.assertEqual((process.returncode, out), (130, ""), err)
        self.assertEqual(os.listdir(self.folder), [])


class CommandLine(CliTest):
    def test_bad_ones_exit_2_and_name_the_nearest(self):
        self.assert_fails(run("laod", "x"), 2, "unknown command 'laod'", "'load'")
        self.assert_fails(run("load", "x", "--jsn"), 2, "unknown option '--jsn'", "'--json'")
        self.assert_fails(run("config", "shwo"), 2, "unknown command 'shwo'", "'show'")
        self.assert_fails(run("load", "x", "--cache", "dirct"), 2, "dirct", "'direct'")
        self.assert_fails(run("load", "x", "--repeat", "0"), 2, "--repeat")
        self.assert_fails(run("load"), 2, "PATH", "gpuio load --help")
        self.assert_fails(run("config"), 2, "no command given")
        self.assert_fails(run(), 2, "no command given", "gpuio --help")

    def test_help_goes_to_stdout_and_shows_examples(self):
        for command in ([], ["load"], ["copy"], ["doctor"], ["topology"], ["calibrate"], ["stat"], ["config", "show"],
                        ["completion"]):
            self.assertIn("Examples:", self.run_ok(*command, "--help").stdout)

    def test_exit_codes_of_help_and_page_are_the_same(self):
        listed = re.findall(r"^ +(\d+)  (.+)$", self.run_ok("--help").stdout.split("Exit codes:")[1], re.MULTILINE)
        with open(os.path.join(DOCS, "exit-codes.md"), encoding="utf-8") as page:
            documented = re.findall(r"^\| (\d+) \| (.+?) \|$", page.read(), re.MULTILINE)
        self.assertEqual(listed, documented)
        self.assertEqual(len(listed), 6)

    def test_every_json_key_is_documented(self):
        with open(os.path.join(DOCS, "cli.md"), encoding="utf-8") as page:
            text = page.read()
        path = self.write("m.safetensors", safetensors_bytes({"w": b"1" * 30}))
        tree = self.unpack_tree("two_sockets")
        for arguments in (["load", path, "--device", "host"], ["copy", path, self.path("copy"), "--verify"],
                          ["calibrate", "--quick", "--output", self.path("model.json")],
                          ["stat", path], ["doctor"], ["config", "show"], ["version"], ["topology", "--root", tree]):
            for key in keys_of(self.run_json(*arguments)):
                self.assertIn(f"`{key}`", text, arguments)

    def test_version(self):
        self.assertRegex(self.run_ok("version").stdout, r"^gpuio \d+\.\d+\.\d+\n$")
        self.assertEqual(self.run_ok("--version").stdout, self.run_ok("version").stdout)

    def test_nothing_is_drawn_or_coloured_without_a_terminal(self):
        result = self.run_ok("load", self.write_random("a.bin", MIB), "--device", "host", TERM="xterm-256color")
        self.assertNotIn(ESCAPE, result.stdout + result.stderr)
        self.assertEqual(result.stderr, "")

    def test_a_result_that_cannot_be_written_is_a_failure(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = subprocess.run([GPUIO, "version"], env=environment(), stdout=full, stderr=subprocess.PIPE,
                                    text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("no_space", result.stderr)

    def test_bash_completes_commands_options_and_choices(self):
        def complete(*words):
            script = (f"source <('{GPUIO}' completion bash); COMP_WORDS=({' '.join(words)} ''); "
                      f"COMP_WORDS[-1]=''; COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _gpuio; echo \"${{COMPREPLY[@]}}\"")
            return subprocess.run(["bash", "-c", script], env=environment(), capture_output=True, text=True,
                                  check=True).stdout.split()

        self.assertIn("load", complete("gpuio"))
        self.assertIn("--no-verify", complete("gpuio", "load"))
        self.assertEqual(complete("gpuio", "load", "--cache"), ["auto", "cached", "direct"])
        self.assertIn("show", complete("gpuio", "config"))
        self.assertIn("--origin", complete("gpuio", "config", "show"))


def keys_of(value):
    """Every key of nested objects, but those of maps that users fill (metadata)."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key != "metadata":
                yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


if __name__ == "__main__":
    unittest.main()
