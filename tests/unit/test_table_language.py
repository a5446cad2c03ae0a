"""How a table is written, and how its names are worked out."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.template import trust_as_template as trusted

from ansible_collections.oncall.runbooks.plugins.plugin_utils.judge import CannotTell, judge
from ansible_collections.oncall.runbooks.plugins.plugin_utils.names import Names, Settled, owned_by
from ansible_collections.oncall.runbooks.plugins.plugin_utils.names_of_0_1_0 import NOW
from ansible_collections.oncall.runbooks.plugins.plugin_utils.table import BadTable, claims, expand
from ansible_collections.oncall.runbooks.tests.support import tables

CAUSE: dict[str, Any] = {"when": "a", "summary": "s", "advice": "look"}


def unless(causes: dict[str, Any], **more: Any) -> dict[str, list[str]]:
    return {slug: cause["unless"] for slug, cause in expand(causes, set(), **more).items()}


def found_of(observed: dict[str, Any], **causes: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Status and explanation of each cause, where an expression is a name that is there or was not measured."""

    def condition(names: Any) -> bool:
        for name in names if isinstance(names, list) else [names]:
            if name not in observed:
                raise CannotTell(name, undefined=True)
            if not observed[name]:
                return False
        return True

    table = {slug: {"summary": slug, "advice": "look", **cause} for slug, cause in causes.items()}
    found = judge(expand(table, set(), conclusive="seen"), condition, lambda text: text, lambda expression: [])
    return {one["cause"]: (one["status"], one.get("explained_by", "")) for one in found}


class TestOnlyWhere:
    DOWN = {"when": "down"}
    LAST = {"when": "last", "only_where": "answers"}
    SEEN = {"seen": True}

    @pytest.mark.parametrize(
        ("observed", "status"),
        [
            ({"down": False, "last": False}, ("ok", "")),
            ({"down": False, "last": True, "answers": True}, ("problem", "")),
            # Both are there: the one that cannot be told apart is named beside the other.
            ({"down": True, "last": True, "answers": False}, ("ok", "down")),
            ({"down": True, "last": False, "answers": False}, ("ok", "")),
            # What is measured only where it answers is not there, and tells nothing.
            ({"down": True, "answers": False}, ("ok", "")),
            ({"down": True, "answers": False, "seen": False}, ("unknown", "")),
            # No problem explains it.
            ({"down": False, "last": True, "answers": False}, ("unknown", "")),
            ({"down": False, "last": True}, ("unknown", "")),
            ({"down": False, "answers": True}, ("unknown", "")),
            ({"down": True, "last": True, "answers": True}, ("problem", "")),
        ],
    )
    @pytest.mark.parametrize("order", [("down", "last"), ("last", "down")])
    def test_what_hides_another_explains_it(self, observed, status, order):
        causes = {"down": self.DOWN, "last": self.LAST}
        found = found_of({**self.SEEN, **observed}, **{slug: causes[slug] for slug in order})
        assert found["last"] == status

    def test_a_section_says_it_for_its_causes(self):
        own = {"when": "b", "summary": "s", "advice": "x", "only_where": ["c"]}
        section = {"only_where": "answers", "causes": {"one": CAUSE, "two": own}}
        done = expand({"answers": section}, set(), conclusive="seen")
        assert [one["only_where"] for one in done.values()] == [(["answers"], "seen"), (["c"], "seen")]
        assert done["one"]["gates"] == [(["a"], "seen")]


class TestExpansion:
    def test_a_section_stands_before_its_causes(self):
        section = {"when": "raised", "conclusive": "complete", "causes": {"one": CAUSE, "two": CAUSE}}
        done = expand({"errors": section, "three": CAUSE}, set(), conclusive="all_seen")
        assert done["one"]["gates"] == [(["raised"], "complete"), (["a"], "all_seen")]
        assert done["three"]["gates"] == [(["a"], "all_seen")]
        assert list(done) == ["one", "two", "three"]

    def test_what_is_conclusive_for_the_table_is_for_its_sections(self):
        section = {"when": "raised", "causes": {"one": CAUSE}}
        assert expand({"errors": section}, set(), conclusive="seen")["one"]["gates"] == [
            (["raised"], "seen"),
            (["a"], "seen"),
        ]

    def test_a_section_without_a_condition_says_what_is_conclusive_for_its_causes(self):
        section = {"conclusive": "complete", "causes": {"one": CAUSE, "two": {**CAUSE, "conclusive": True}}}
        done = expand({"errors": section}, set(), conclusive="seen")
        assert [done["one"]["gates"], done["two"]["gates"]] == [[(["a"], "complete")], [(["a"], True)]]

    def test_what_a_section_says_counts_for_causes_that_do_not_say_it(self):
        section = {"evidence": "e", "unless": "earlier", "causes": {"one": CAUSE, "two": {**CAUSE, "evidence": "f"}}}
        done = expand({"errors": section}, set())
        assert [(one["evidence"], one["unless"]) for one in done.values()] == [("e", []), ("f", ["one"])]

    def test_a_conclusive_of_its_own_counts(self):
        assert expand({"one": {**CAUSE, "conclusive": True}}, set(), conclusive="x")["one"]["gates"] == [(["a"], True)]

    @pytest.mark.parametrize(
        ("written", "expanded"),
        [
            ("earlier", ["one", "two", "three"]),
            ({"earlier_but": ["two"]}, ["one", "three"]),
            ({"earlier_but": ["errors"]}, ["three"]),
            (["errors"], ["one", "two"]),
            (["three", "errors"], ["three", "one", "two"]),
        ],
    )
    def test_unless(self, written, expanded):
        causes = {
            "errors": {"causes": {"one": CAUSE, "two": CAUSE}},
            "three": CAUSE,
            "four": {**CAUSE, "unless": written},
        }
        assert unless(causes)["four"] == expanded

    def test_causes_of_an_inventory_come_last_or_take_a_place(self):
        own = {"one": CAUSE, "two": {**CAUSE, "unless": "earlier"}}
        extra = {"one": {**CAUSE, "summary": "mine"}, "three": {**CAUSE, "unless": "earlier"}}
        done = expand(own, set(), conclusive="seen", extra=extra)
        assert [done["one"]["summary"], done["three"]["unless"]] == ["mine", ["one", "two"]]
        # What the role says of its own causes says nothing of others.
        assert done["one"]["gates"] == done["three"]["gates"] == [(["a"], None)]

    def test_what_it_operates_is_its_target(self):
        operates = {"service": "{{ x }}", "verbs": ["restart"]}
        cause = {**CAUSE, "remedy": "r", "risk": "low", "operates": operates}
        assert expand({"one": cause}, {"r"})["one"]["targets"] == [{"service": "{{ x }}"}]
        assert expand({"one": {**cause, "targets": "{{ y }}"}}, {"r"})["one"]["targets"] == "{{ y }}"

    def test_needs_of_the_version_before_still_works_and_says_so(self):
        told: list[str] = []
        needs = {"service": "api", "verbs": ["restart"]}
        done = expand(
            {}, {"r"}, extra={"one": {**CAUSE, "remedy": "r", "risk": "low", "needs": needs}}, deprecated=told.append
        )
        assert (done["one"]["operates"], "targets" in done["one"], len(told)) == (needs, False, 1)

    def test_needs_is_a_key_of_a_remedy(self):
        needs = {"break_glass": {"reason": "{{ why }}", "ttl_seconds": 300}}
        told: list[str] = []
        cause = {**CAUSE, "remedy": "r", "risk": "high", "needs": needs}
        done = expand({"one": cause}, {"r"}, deprecated=told.append)
        assert (done["one"]["needs"], told, "operates" in done["one"]) == (needs, [], False)

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"needs": {"sudo": {}}}, "needs that are not exactly"),
            ({"needs": {"break_glass": {"reason": "x"}, "more": 1}}, "needs that are not exactly"),
            ({"needs": "break_glass"}, "needs that are not exactly"),
            ({"needs": {"break_glass": {}}}, "without a reason"),
            ({"needs": {"break_glass": "x"}}, "without a reason"),
            ({"needs": {"break_glass": {"reason": "x", "token": "x"}}}, "without a reason, or with more than"),
            ({"risk": "medium"}, "its risk is not high"),
            ({"risk": "{{ x }}"}, "its risk is not high"),
        ],
    )
    def test_needs_that_are_written_wrong(self, changed, said):
        cause = {**CAUSE, "remedy": "r", "risk": "high", "needs": {"break_glass": {"reason": "x"}}, **changed}
        with pytest.raises(BadTable, match=said):
            expand({"one": cause}, {"r"})

    def test_needs_without_a_remedy(self):
        with pytest.raises(BadTable, match="no remedy that could use them"):
            expand({"one": {**CAUSE, "needs": {"break_glass": {"reason": "x"}}, "risk": "high"}}, set())

    @pytest.mark.parametrize(
        ("causes", "said"),
        [
            ({"one": []}, "cause one is not a dictionary"),
            ({"one": {**CAUSE, "whem": "x"}}, "unknown key whem"),
            ({"one": {"summary": "s", "advice": "x"}}, "has no when"),
            ({"one": {**CAUSE, "unless": ["two"]}, "two": CAUSE}, "no earlier cause"),
            ({"one": {**CAUSE, "unless": {"but": ["two"]}}}, "not earlier"),
            ({"errors": {"causes": {"one": CAUSE}, "summary": "x"}}, "unknown key summary"),
            ({"errors": {"causes": ["one"]}}, "no dictionaries"),
            ({"errors": {"causes": {"one": CAUSE}}, "one": CAUSE}, "one is there twice"),
            ({"one": {**CAUSE, "remedy": "x", "risk": "low"}}, "unknown remedy x"),
            ({"one": {**CAUSE, "remedy": "r", "risk": "none"}}, "has the risk 'none'"),
            ({"one": {**CAUSE, "remedy": "r", "risk": "low", "operates": {"service": "x"}}}, "operates without"),
            ({"one": {"when": "a", "summary": "s"}}, "neither remedy nor advice"),
            ({"one": {**CAUSE, "hand_over": "x", "remedy": "r", "risk": "low"}}, "a remedy beside it"),
            ({"one": {**CAUSE, "subject": {}}}, "no hand_over beside it"),
        ],
    )
    def test_a_mistake_is_one_line(self, causes, said):
        with pytest.raises(BadTable) as raised:
            expand(causes, {"r"})
        assert said in str(raised.value)
        assert "\n" not in str(raised.value)


def judged(causes: dict[str, Any], names: dict[str, Any] | None = None, **variables: Any) -> dict[str, Any]:
    """The runbook cache with another table, on a Redis that was seen and a service that was not asked."""

    def trust(value: Any) -> Any:
        if isinstance(value, str):
            return trusted(value)
        if isinstance(value, dict):
            return {key: trust(one) for key, one in value.items()}
        return [trust(one) for one in value] if isinstance(value, list) else value

    observed = {"redis": {"available": True, "role": "master", "evil": "{{ 7 * 7 }}"}}
    table = {
        "cache_causes": trust(causes),
        "cache_names": trust(names or {}),
        "cache_evidence": {},
        "cache_healthy": {},
    }
    return tables.diagnose("cache", observed, **{**table, **trust(variables)})


def verdict(when: Any, names: dict[str, Any] | None = None, **variables: Any) -> str:
    return judged({"one": {**CAUSE, "when": when}}, names, **variables)["findings"][0]["status"]


class TestNames:
    def test_names_use_names_observations_and_variables(self):
        names = {"role": "{{ redis.role }}", "is_primary": "{{ role == expected }}"}
        assert verdict("is_primary", names, expected="master") == "problem"

    def test_what_was_not_measured_makes_the_cause_unknown_and_can_have_a_default(self):
        names = {"lag": "{{ redis.lag_seconds }}", "late": "{{ lag > 5 }}"}
        assert verdict("late", names) == "unknown"
        assert verdict("late | default(true)", names) == "problem"
        assert verdict("lag is not defined", names) == "problem"

    def test_a_name_that_is_wrong_has_no_default(self):
        assert (
            verdict(
                "number | default(1) == 1", {"number": "{{ redis.role | ansible.builtin.mandatory | to_datetime }}"}
            )
            == "unknown"
        )

    def test_a_reason_of_the_table_is_said_as_it_stands(self):
        names = {"rate": "{{ undef(hint='only ' ~ redis.evil ~ ' answers') }}", "high": "{{ rate > 1 }}"}
        finding = judged({"one": {**CAUSE, "when": "high"}}, names)["findings"][0]
        assert (finding["status"], finding["reason"]) == ("unknown", "only {{ 7 * 7 }} answers")

    def test_the_names_of_a_table_do_not_get_into_the_inventory(self):
        names = {"number": "{{ 1 }}"}
        assert (
            verdict("number == 1 and address == 'db:5432'", names, number=5432, address="db:{{ number }}") == "problem"
        )

    def test_an_observation_that_was_not_asked_is_not_a_variable_of_the_same_name(self):
        assert verdict("service == 'mine'", service="mine") == "unknown"

    def test_a_name_that_uses_itself_is_unknown(self):
        assert verdict("one", {"one": "{{ two }}", "two": "{{ one }}"}) == "unknown"

    @pytest.mark.parametrize("given", ["7", 7, "{{ seven }}"])
    def test_an_option_has_its_declared_type(self, given):
        assert (
            verdict(
                "cache_timeout_seconds == 7 and cache_timeout_seconds is number", cache_timeout_seconds=given, seven="7"
            )
            == "problem"
        )

    def test_a_name_of_the_version_before_works_in_causes_of_an_inventory(self):
        extra = {"mine": {**CAUSE, "when": "__cache_role == 'master' and __cache_redis.role == 'master'"}}
        found = judged({"one": {**CAUSE, "when": "false"}}, {"role": "{{ redis.role }}"}, cache_extra_causes=extra)
        assert tables.causes_that_are(found, "problem") == ["mine"]

    def test_an_expression_can_stand_for_a_name_of_the_version_before(self, monkeypatch):
        monkeypatch.setitem(NOW, "cache", {"is_primary": "redis.role == role"})
        extra = {"mine": {**CAUSE, "when": "__cache_is_primary"}}
        found = judged({"one": {**CAUSE, "when": "false"}}, {"role": "master"}, cache_extra_causes=extra)
        assert tables.causes_that_are(found, "problem") == ["mine"]

    def test_each_name_is_worked_out_once(self):
        rendered: list[str] = []

        def render(value: Any, variables: Any) -> Any:
            rendered.append(value)
            return value

        names = Names(
            table={"a": "x b", "b": "c", "c": "1", "never": "2"},
            readings={"d": lambda a, e=3: a + str(e)},
            observed={},
            observers={"redis"},
            variables={"redis": "not this one"},
            render=render,
            trusted=str,
            cast=lambda name, value: value,
            renamed=lambda name: "",
        )
        scope = names.scope_of(["a + a", {"k": "b and d and redis"}])
        assert rendered == ["1", "c", "x b"]
        assert (scope["d"], "redis" in scope, "never" in scope) == ("x b3", False, False)

    def test_a_reading_that_misses_something_is_not_there(self):
        def render(value: Any, variables: Any) -> Any:
            raise CannotTell("not measured", undefined=True)

        names = Names(
            table={"a": "x"},
            readings={"b": lambda a: a, "c": lambda d: d["key"]},
            observed={"d": {}},
            observers=set(),
            variables={},
            render=render,
            trusted=str,
            cast=lambda name, value: value,
            renamed=lambda name: "",
        )
        scope = names.scope_of("b c")
        assert ["undef(hint=" in scope["b"], "mandatory(" in scope["c"]] == [True, True]


class TestEvidence:
    def test_a_name_in_a_list_is_called_by_its_last_word(self):
        written = [[trusted("redis.role")], {"number": trusted("{{ 1 + 1 }}"), "missing": trusted("{{ nowhere }}")}]
        found = judged({"one": {**CAUSE, "when": "true"}}, cache_evidence=written)
        assert found["evidence"] == {"role": "master", "number": 2}

    def test_a_password_of_the_inventory_is_not_in_it(self):
        given = trusted("{{ [{'database': {'name': 'shop', 'password': 'dont-show-this'}}] }}")
        found = judged({"one": {**CAUSE, "when": "true", "evidence": given}}, cache_evidence=[{"given": given}])
        shown = [{"database": {"name": "shop"}}]
        assert (found["evidence"], found["findings"][0]["evidence"]) == ({"given": shown}, shown)


class TestNothingOfThisKind:
    def test_it_is_healthy_and_says_why(self):
        applies = {"when": "false", "otherwise": "there is no Redis here"}
        found = judged({"one": {**CAUSE, "when": "nothing"}}, cache_applies=applies)
        assert (found["status"], found["msg"]) == ("healthy", "there is no Redis here")

    def test_where_that_cannot_be_told_it_is_judged(self):
        applies = {"when": "nothing > 1", "otherwise": "there is no Redis here"}
        assert judged({"one": {**CAUSE, "when": "nothing"}}, cache_applies=applies)["status"] == "unknown"


ANSWERS = {"whether": "Redis answers", "when": "redis.available", "figures": "role {{ redis.role }}"}


class TestHealthy:
    def claimed(self, *, cause: str = "false", **claim: Any) -> dict[str, Any]:
        spots = claim.pop("system_blind_spots", [])
        return judged(
            {"one": {**CAUSE, "when": cause}},
            cache_healthy={"answers": {**ANSWERS, **claim}},
            cache_conclusive="true",
            system_blind_spots=spots,
        )

    def test_what_is_shown_is_said_with_its_figures(self):
        found = self.claimed()
        assert (found["status"], found["msg"], found["not_looked_at"]) == ("healthy", "role master", [])

    def test_what_could_not_be_measured_is_unknown_and_named(self):
        found = self.claimed(when="redis.lag_seconds < 5")
        assert found["status"] == "unknown"
        assert found["msg"].startswith("not looked at: whether Redis answers (")
        assert found["not_looked_at"] == ["whether Redis answers"]

    def test_a_claim_that_cannot_be_put_into_words_is_named_and_its_template_goes_nowhere(self):
        found = self.claimed(whether="{{ nowhere | join }} is fast", when="redis.lag_seconds < 5")
        assert found["not_looked_at"] == ["whether answers"]
        assert "{{" not in str(found["health"])

    @pytest.mark.parametrize(
        ("when", "reason"),
        [
            ("redis.lag_seconds < 5", "lag_seconds was not measured"),
            ("redis.window.lag < 5", "window was not measured"),
            ("nowhere > 1", "nowhere was not measured"),
            ("deep.down == 1", "down was not measured"),
            ("undef(hint='it is too early')", "it is too early"),
        ],
    )
    def test_what_was_not_measured_is_named_and_no_object_of_python(self, when, reason):
        found = judged(
            {"one": {**CAUSE, "when": when}},
            {"deep": "{{ {'up': 1} }}"},
            cache_healthy={"answers": {**ANSWERS, "when": when}},
        )
        assert found["findings"][0]["reason"] == found["health"][0]["reason"] == reason

    def test_what_was_measured_and_is_not_so_is_unknown_where_no_cause_fits(self):
        found = self.claimed(when="redis.role == 'slave'")
        assert found["status"] == "unknown"
        assert found["msg"] == "nothing shows that Redis answers, and no known cause fits: role master"

    def test_what_lies_beyond_is_listed_and_changes_no_outcome(self):
        found = self.claimed(when="redis.lag_seconds < 5", beyond=True)
        assert (found["status"], found["not_looked_at"]) == ("healthy", ["whether Redis answers"])

    def test_an_inventory_can_do_without(self):
        found = self.claimed(when="redis.lag_seconds < 5", system_blind_spots=["cache.answers", "db_pool.other"])
        assert found["status"] == "healthy"
        assert found["not_looked_at"] == ["whether Redis answers (accepted by system_blind_spots)"]

    def test_it_cannot_do_without_what_nobody_claims(self):
        with pytest.raises(AnsibleActionFail, match=r"system_blind_spots names cache.answer; known are cache.answers"):
            self.claimed(system_blind_spots=["cache.answer"])

    def test_what_does_not_apply_is_not_asked_for(self):
        found = self.claimed(when="redis.lag_seconds < 5", applies="redis.role == 'slave'")
        assert (found["status"], found["health"], found["msg"]) == ("healthy", [], "nothing found")

    def test_where_that_cannot_be_told_it_is(self):
        assert self.claimed(when="false", applies="redis.lag_seconds is number and nowhere")["status"] == "unknown"

    def test_a_problem_is_said_and_its_figures_are_kept(self):
        found = self.claimed(cause="true", when="false")
        assert (found["status"], found["health"][0]["figures"]) == ("problem", "role master")

    def test_figures_that_could_not_be_measured_take_nothing_from_what_is_shown(self):
        found = self.claimed(figures="{{ redis.lag_seconds }} s")
        assert (found["status"], found["msg"]) == ("healthy", "nothing found")

    def test_figures_that_cannot_be_made_are_no_reason_why_it_is_not_shown(self):
        found = self.claimed(when="redis.role == 'slave'", figures="{{ 1 / 0 }} %")
        (row,) = found["health"]
        assert (row["shown"], row["figures"], "reason" in row) == (False, "", False)

    def test_text_from_outside_is_data(self):
        found = self.claimed(figures="{{ redis.evil }}")
        assert found["msg"] == "{{ 7 * 7 }}"

    @pytest.mark.parametrize("wrong", [{"when": "true"}, {"whether": "x"}, {**ANSWERS, "wen": "true"}, "true"])
    def test_a_claim_that_is_none_is_refused(self, wrong):
        with pytest.raises(BadTable, match="claim one takes whether and when"):
            claims({"one": wrong})


class TestVariablesOfTheHost:
    """What the inventory and a role say, each worked out once where it is this collection's."""

    @pytest.fixture
    def settled(self) -> Settled:
        self.rendered: list[str] = []

        def render(value: Any, scope: Any) -> Any:
            self.rendered.append(value)
            if value == "wrong":
                raise CannotTell("it is wrong")
            return value.format(**scope) if isinstance(value, str) else value

        self.variables = {
            "cache_a": "{cache_b}{cache_b}",
            "__cache_first": "{__cache_seen}-{cache_b}",
            "cache_b": "b{system_c}",
            "system_c": "c",
            "cache_wrong": "wrong",
            "cache_self": "cache_self",
            "theirs": "{cache_b}",
            "other_d": "d",
            "__cache_seen": "nothing",
        }
        return Settled(self.variables, render, owned_by("cache"))

    def test_each_of_ours_once_and_others_never(self, settled):
        scope = settled.scope_of("cache_a + cache_a and theirs and other_d")
        assert (scope["cache_a"], scope["theirs"], scope["other_d"]) == ("bcbc", "{cache_b}", "d")
        settled.scope_of(["cache_a", {"k": "cache_b"}])
        assert self.rendered == ["c", "b{system_c}", "{cache_b}{cache_b}"]

    def test_what_cannot_be_worked_out_fails_where_it_is_used(self, settled):
        scope = settled.scope_of("cache_wrong or cache_self")
        assert (scope["cache_wrong"], scope["cache_self"]) == ("wrong", "cache_self")

    def test_what_is_made_of_one_that_changes_is_worked_out_anew_and_nothing_else(self, settled):
        assert settled.scope_of("__cache_first")["__cache_first"] == "nothing-bc"
        self.variables["__cache_seen"] = "something"
        settled.changed("__cache_seen")
        assert settled.scope_of("__cache_first")["__cache_first"] == "something-bc"
        assert self.rendered.count("b{system_c}") == 1
