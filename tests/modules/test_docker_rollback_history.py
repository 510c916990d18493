"""Which image a container ran before: what docker_rollback can know on the lab's engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.contract import ModuleFailed
from tests.lab.registry import Registry
from tests.modules.containers import SERVE, inspected
from tests.modules.images import Application
from tests.modules.sequence import act, module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.contract import Target
    from tests.lab.lab import Host

    Engine = Callable[..., Target]

pytestmark = pytest.mark.lab
RUN = f'CMD ["sh", "-c", "{SERVE}"]'


@pytest.fixture
def app(docker_host: Host) -> Iterator[Application]:
    made = Application(docker_host)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def registry(lab_docker: Any) -> Registry:
    """It ends with the machine."""
    return Registry(lab_docker.h1)


def previous(engine: Engine, app: Application) -> str:
    """The id of the image that it would go back to."""
    subject = module("docker_rollback", {"container": app.name})
    change = subject.decide(subject.observe(engine()))  # type: ignore[attr-defined]
    return str(change.after["image_id"])


def refused(engine: Engine, app: Application) -> str:
    with pytest.raises(ModuleFailed) as failed:
        previous(engine, app)
    return failed.value.message


def test_its_label_says(app: Application, engine: Engine) -> None:
    app.image("1", RUN)
    old, new = app.image("2", RUN), app.image("3", RUN)
    app.run("3", "--label", f"quell.previous-image={app.name}:2")
    outcome = act("docker_rollback", {"container": app.name}, engine(90.0))
    assert outcome.unconfirmed is None
    assert outcome.change is not None
    assert (outcome.change.before["image_id"], outcome.change.after["image_id"]) == (new, old)
    assert inspected(app.host, app.name)["Image"] == old


def test_what_its_label_says_must_be_there(app: Application, engine: Engine) -> None:
    app.image("3", RUN)
    app.run("3", "--label", f"quell.previous-image={app.name}:2")
    assert refused(engine, app) == (
        f"the image {app.name}:2, which the label quell.previous-image of {app.name} names, "
        "is not on the host: pull it first"
    )


def test_the_container_that_had_its_name_before(app: Application, engine: Engine) -> None:
    app.image("1", RUN)
    old, _ = app.image("2", RUN), app.image("3", RUN)
    for tag in ("1", "2", "3"):
        app.host.docker("rm", "-f", app.name, check=False)
        app.run(tag)
    assert previous(engine, app) == old


def test_made_again_from_the_same_image_it_ran_the_one_before_that(
    app: Application, engine: Engine
) -> None:
    old, _ = app.image("1", RUN), app.image("2", RUN)
    for tag in ("1", "2", "2"):
        app.host.docker("rm", "-f", app.name, check=False)
        app.run(tag)
    assert previous(engine, app) == old


def test_an_image_that_was_removed_is_named(app: Application, engine: Engine) -> None:
    app.image("1", RUN), app.image("2", RUN)
    app.run("1")
    app.host.docker("rm", "-f", app.name)
    app.host.docker("rmi", f"{app.name}:1")
    app.run("2")
    assert refused(engine, app) == (
        f"the image {app.name}:1, which {app.name} ran before, is not on the host: pull it first"
    )


def test_what_was_built_later_did_not_come_before(app: Application, engine: Engine) -> None:
    old, new = app.image("1", RUN), app.image("2", RUN)
    app.run("2")
    app.host.docker("rm", "-f", app.name)
    app.run("1")  # somebody has gone back by hand
    said = refused(engine, app)
    assert said.startswith(
        f"which image {app.name} ran before {app.name}:1 ({old[7:19]}) cannot be known: "
        f"say it with `image`; on the host are {app.name}:2 ({new[7:19]}) built 2"
    )


def test_where_its_tag_pointed_before(app: Application, engine: Engine) -> None:
    app.image("latest", RUN)
    old, new = app.image("latest", RUN), app.image("latest", RUN)
    app.run("latest")
    newer = app.image("latest", RUN)  # built since, and not run
    assert len({old, new, newer}) == 3
    assert inspected(app.host, app.name)["Image"] == new
    assert previous(engine, app) == old


def test_an_image_that_lost_its_tag_to_a_newer_one(
    app: Application, engine: Engine, registry: Registry
) -> None:
    old, new = app.image("1", RUN), app.image("2", RUN)
    name = f"{registry.name}/{app.name}"
    for tag in ("1", "2"):
        app.host.docker("tag", f"{app.name}:{tag}", f"{name}:{tag}")
        app.host.docker("push", f"{name}:{tag}")
        app.host.docker("rmi", f"{name}:{tag}", f"{app.name}:{tag}")
    # The engine hears of the tag by pulling alone, as on a host in production.
    for tag in ("1", "2"):
        registry.retag(app.name, tag, "stable")
        app.host.docker("pull", f"{name}:stable")
    app.host.docker("run", "-d", "--name", app.name, f"{name}:stable")
    assert inspected(app.host, app.name)["Image"] == new
    assert previous(engine, app) == old
    outcome = act("docker_rollback", {"container": app.name}, engine(90.0))
    assert outcome.unconfirmed is None
    assert inspected(app.host, app.name)["Image"] == old


def test_several_that_lost_their_tag_are_told(
    app: Application, engine: Engine, registry: Registry
) -> None:
    ids = [app.image(tag, RUN) for tag in ("1", "2", "3")]
    name = f"{registry.name}/{app.name}"
    for tag in ("1", "2", "3"):
        app.host.docker("tag", f"{app.name}:{tag}", f"{name}:{tag}")
        app.host.docker("push", f"{name}:{tag}")
        app.host.docker("rmi", f"{name}:{tag}", f"{app.name}:{tag}")
    for tag in ("1", "2", "3"):
        registry.retag(app.name, tag, "stable")
        app.host.docker("pull", f"{name}:stable")
    app.host.docker("run", "-d", "--name", app.name, f"{name}:stable")
    said = refused(engine, app)
    assert f"cannot be known: say it with `image`; on the host are {name}@sha256:" in said
    second, first = said.index(ids[1][7:19]), said.index(ids[0][7:19])
    assert second < first


def test_versions_side_by_side_tell_nothing(app: Application, engine: Engine) -> None:
    one, two, _ = (app.image(tag, RUN) for tag in ("1", "2", "3"))
    app.run("3")
    said = refused(engine, app)
    told = [f"{app.name}:2 ({two[7:19]}) built 2", f"{app.name}:1 ({one[7:19]}) built 2"]
    assert said.index(told[0]) < said.index(told[1])


def test_alone_it_has_nothing_to_go_back_to(app: Application, engine: Engine) -> None:
    app.image("1", RUN)
    app.run("1")
    said = refused(engine, app)
    assert said.endswith(
        "cannot be known: say it with `image`; no other of its images is on the host"
    )


def test_an_image_has_the_name_that_the_container_was_made_from(
    app: Application, engine: Engine
) -> None:
    old, new = app.image("1", RUN), app.image("2", RUN)
    app.host.docker("tag", f"{app.name}:2", f"{app.name}:1-and-a-half")
    app.run("2")
    subject = module("docker_rollback", {"container": app.name, "image": old})
    change = subject.decide(subject.observe(engine()))  # type: ignore[attr-defined]
    assert (change.before["image"], change.after["image"]) == (f"{app.name}:2", f"{app.name}:1")
    assert f": {app.name}:2 ({new[7:19]}) → {app.name}:1 ({old[7:19]})" in change.summary


def test_an_image_that_is_asked_for_must_be_there(app: Application, engine: Engine) -> None:
    app.image("1", RUN)
    app.run("1")
    asked = {"container": app.name, "image": f"{app.name}:0"}
    with pytest.raises(ModuleFailed) as failed:
        act("docker_rollback", asked, engine(90.0))
    assert failed.value.message == (
        f"the image {app.name}:0, which is asked for, is not on the host: pull it first"
    )
