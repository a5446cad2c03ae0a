# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""prototype"""

from __future__ import annotations

import gc, time, os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ..module_utils import observe
from ..plugin_utils.diagnosing import Diagnosing
from ..plugin_utils.finish import Steps
from ..plugin_utils.plain import plain
from ..plugin_utils.role_contract import ROLES, read_yaml
from ..plugin_utils.triaging.looks import Answer, Asked, CannotLook, Limits, Look


class ActionModule(ActionBase):
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        gc.freeze()
        T=[("start",time.perf_counter(),time.process_time())]
        def mark(n):
            T.append((n,time.perf_counter(),time.process_time()))
        result = super().run(tmp, task_vars)
        task_vars = dict(task_vars or {})
        extra = load_extra_vars(self._loader)
        names = sorted(p.parents[1].name for p in ROLES.glob("*/meta/runbook.yml"))
        limits = Limits(1.0, 3.0)
        metas = {n: read_yaml(ROLES / n / "meta/runbook.yml") for n in names}
        mark("meta")
        looks = {}
        for n in names:
            role = ROLES / n
            load = lambda *parts: self._loader.load_from_file(str(role.joinpath(*parts)), trusted_as_template=True) or {}
            variables = {**load("defaults", "main.yml"), **task_vars, **load("vars", "main.yml"), **extra, "role_path": str(role), "ansible_role_name": "oncall.runbooks." + n}
            looks[n] = Look(role, variables, load("tasks", "look.yml"), self._templar, limits)
        mark("load")
        out, gens = {}, {}
        for n, look in looks.items():
            missing = Diagnosing(look.role, look.variables, {}, self._templar, print).missing(metas[n].get("requires") or [])
            if missing:
                out[n] = ("not set up", missing[0]); continue
            gens[n] = look.taken()
        mark("requires")
        asked = {}
        per = {}
        def advance(n, value):
            c=time.process_time()
            try:
                asked[n] = gens[n].send(value)
            except StopIteration:
                pass
            except CannotLook as e:
                out[n] = ("cannot look", str(e))
            per.setdefault(n,[]).append(round(time.process_time()-c,3))
        for n in gens:
            advance(n, None)
        mark("ask")
        while asked:
            now, asked = asked, {}
            questions = [(n, o, p) for n, a in now.items() for o, p in a.questions.items()]
            uniq = []
            for n,o,p in questions:
                if {o:p} not in uniq: uniq.append({o:p})
            self._display.display(f"{len(questions)} questions, {len(uniq)} unique")
            steps = [Steps("observe", u) for u in uniq]
            send = [s.arguments for s in steps if s.arguments]
            mark("prep")
            ans = self._execute_module(module_name="oncall.runbooks.observe_each", module_args={"questions": send}, task_vars={**task_vars, "ansible_no_target_syslog": True}) if send else {"answers": []}
            mark("module")
            if "answers" not in ans: raise AnsibleActionFail(str(ans)[:2000])
            it = iter(ans["answers"])
            got = []
            for u, s in zip(uniq, steps):
                (o,) = u
                a = next(it) if s.arguments else {"answer": {}, "seconds": 0}
                told = s.finish({o: a["answer"]} if s.arguments else {})
                got.append((u, Answer(plain(told[o]), a["seconds"])))
                self._display.display(f"   {a['seconds']:.2f} {o} {str({k:v for k,v in u[o].items()})[:150]}")
            w = max(a.wait_seconds for a in now.values())
            time.sleep(w)
            for n, a in now.items():
                advance(n, {o: next(x for u, x in got if u == {o: p}) for o, p in a.questions.items()})
            mark("answered")
        for n, look in looks.items():
            if n in out: continue
            c=time.process_time()
            look.cut_variables()
            observed = look._rendered(self._loader.load_from_file(str(look.role / "tasks/diagnose.yml"), trusted_as_template=True)[2]["oncall.runbooks.diagnosis"]["observed"])
            try:
                d = Diagnosing(look.role, look.variables, observed, self._templar, print).diagnosis(False)
                out[n] = (d["status"], look.longer_seconds, d["msg"])
            except AnsibleError as e:
                out[n] = ("failed", str(e))
            per[n].append(round(time.process_time()-c,3))
        mark("judge")
        for n, o in out.items():
            self._display.display(f"{n}: {o} {per.get(n)}")
        for a, b in zip(T, T[1:]):
            self._display.display(f"{b[0]:10} wall {b[1]-a[1]:.3f} cpu {b[2]-a[2]:.3f}")
        result["changed"] = False
        return result
