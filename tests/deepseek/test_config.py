"""The configuration: private, never printed, overruled by the environment."""

import stat

import pytest

from deepseek import config
from deepseek.cli.app import main
from deepseek.errors import UsageError


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSEEK_HOME", str(tmp_path / "home"))
    for name in config.ENVIRONMENT.values():
        monkeypatch.delenv(name, raising=False)


def test_the_file_is_readable_by_its_owner_only(capsys):
    assert main(["config", "set", "--studio", "http://localhost:8000/", "--api-key", "dsk_secret"]) == 0
    assert stat.S_IMODE(config.config_path().stat().st_mode) == 0o600
    assert config.load() == config.Config("http://localhost:8000", "dsk_secret")
    assert "dsk_secret" not in "".join(capsys.readouterr())


def test_show_never_prints_the_key(capsys):
    config.save(api_key="dsk_secret")
    assert main(["config", "show"]) == 0
    shown = capsys.readouterr()
    assert "dsk_secret" not in shown.out + shown.err
    assert "dsk_secret" not in repr(config.load())
    assert "api key  set" in shown.out


def test_setting_one_value_keeps_the_others():
    config.save(studio="http://a.example", api_key="dsk_1")
    config.save(api_key="dsk_2")
    assert config.load() == config.Config("http://a.example", "dsk_2")
    config.save(api_key="")
    assert config.load().api_key is None


def test_the_key_can_be_read_from_standard_input(monkeypatch):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("dsk_piped\n"))
    assert main(["config", "set", "--api-key", "-"]) == 0
    assert config.load().api_key == "dsk_piped"


def test_the_environment_wins(monkeypatch):
    config.save(studio="http://a.example", api_key="dsk_1")
    monkeypatch.setenv("DEEPSEEK_API_KEY", "dsk_ci")
    assert config.load() == config.Config("http://a.example", "dsk_ci")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://a.example", "http://", "x"])
def test_an_address_that_is_none_is_refused(url, capsys):
    assert main(["config", "set", "--studio", url]) == 2
    assert "http://localhost:8000" in capsys.readouterr().err


def test_a_broken_file_says_what_to_do():
    config.config_path().parent.mkdir(parents=True)
    config.config_path().write_text("{")
    with pytest.raises(UsageError, match="config set"):
        config.load()


def test_setting_nothing_is_refused(capsys):
    assert main(["config", "set"]) == 2
    assert "Nothing to set" in capsys.readouterr().err
