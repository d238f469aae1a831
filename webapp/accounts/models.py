"""Tables of people and of what lets them in. Secrets are stored as keyed hashes only."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.utils import timezone

from webapp.base import Record


class Theme(models.TextChoices):
    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Users(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make an account. Without a password it can be entered by a login link only."""
        user = self.model(email=normal_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make an account that may administer the server."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """The account with this e-mail address, however it is capitalised."""
        return self.get(email=normal_email(username or ""))


class User(AbstractUser, Record):
    """A person. ``language`` empty: as the browser asks."""

    username = None  # type: ignore[assignment]  # no such column
    first_name = None  # type: ignore[assignment]  # no such column
    last_name = None  # type: ignore[assignment]  # no such column
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=80)
    language = models.CharField(max_length=10, blank=True, default="")
    theme = models.CharField(max_length=6, choices=Theme.choices, default=Theme.SYSTEM)

    objects: ClassVar[Users] = Users()  # type: ignore[assignment]  # accounts have no user name

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.email


class ApiKey(Record):
    """A key for the REST API. The key itself is shown once; here are its readable start and its keyed hash."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, unique=True)
    key_hash = models.CharField(max_length=64)
    last_used = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.prefix}..."


class LoginLink(Record):
    """A link that lets its bearer in once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="login_links")
    token_hash = models.CharField(max_length=64, unique=True)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"login link of {self.user_id}"


class LoginFailures(models.Model):
    """How often a login failed for one address or one account, within one window of time."""

    subject_hash = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.count} failures"


def normal_email(email: str) -> str:
    """The form in which addresses are compared and stored."""
    return email.strip().lower()
