from __future__ import annotations

from tui.paths import Paths
from tui.ui.drafts import FILE, MAX_DRAFTS, Draft, Drafts
from tui.ui.models.template_form import TemplateFields


def test_a_draft_is_found_again(paths: Paths) -> None:
    drafts = Drafts(paths, lambda: 5.0)
    fields = TemplateFields(user="About {text}", labels=(("good", "praise"),))
    assert drafts.keep([Draft("/a.csv", fields=fields, account="sandbox", name="a")])
    drafts.save()
    found = Drafts(paths).find("/a.csv")
    assert found is not None
    assert (found.fields, found.account, found.name, found.at) == (fields, "sandbox", "a", 5.0)
    assert (paths.data / FILE).stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_while_nothing_changes(paths: Paths) -> None:
    drafts = Drafts(paths)
    drafts.keep([Draft("/a.csv", request="x")])
    drafts.save()
    assert not drafts.keep([Draft("/a.csv", request="x")])
    assert drafts.keep([Draft("/a.csv", request="xy")])


def test_two_dashboards_keep_each_others_drafts(paths: Paths) -> None:
    one, other = Drafts(paths), Drafts(paths)
    one.keep([Draft("/one.csv", request="x")])
    one.save()
    other.keep([Draft("/other.csv", request="y")])
    other.save()
    other.forget(["/other.csv"])
    other.save()
    assert [draft.place for draft in Drafts(paths).newest()] == ["/one.csv"]


def test_the_newest_are_kept(paths: Paths) -> None:
    times = iter(range(1, 100))
    drafts = Drafts(paths, lambda: float(next(times)))
    drafts.keep(Draft(f"/{number}.csv", request="x") for number in range(MAX_DRAFTS + 5))
    drafts.save()
    kept = Drafts(paths).newest()
    assert len(kept) == MAX_DRAFTS
    assert kept[0].place == f"/{MAX_DRAFTS + 4}.csv"


def test_a_broken_file_and_a_text_that_cannot_be_written_do_no_harm(paths: Paths) -> None:
    (paths.data / FILE).write_text("{broken", "utf-8")
    drafts = Drafts(paths)
    assert drafts.newest() == []
    drafts.keep([Draft("/a.csv", request="\ud800")])
    drafts.save()
    assert Drafts(paths).newest() == []
