"""How people get in and out: login, one-time links, invitations, and the language switch. Server-rendered."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts.models import User, normal_email
from webapp.accounts.secrets import redeem_link
from webapp.accounts.throttle import is_blocked, note_failure, note_success
from webapp.shell.context import TAGS
from webapp.workspaces.changes import accept_invitation, find_invitation
from webapp.workspaces.models import Invitation

BACKEND = "django.contrib.auth.backends.ModelBackend"


class LoginForm(forms.Form):
    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=254)
    password = forms.CharField(label=gettext_lazy("Password"), max_length=500, widget=forms.PasswordInput)


class JoinForm(LoginForm):
    """Who comes by an invitation and has no account yet makes one."""

    name = forms.CharField(label=gettext_lazy("Your name"), max_length=80)
    field_order = ("name", "email", "password")

    def clean_email(self) -> str:
        email = normal_email(self.cleaned_data["email"])
        if User.objects.filter(email=email).exists():
            raise forms.ValidationError(_("There is an account with this address. Log in first, then open the link."))
        return email

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password)
        return password


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """The login page. A blocked account and a wrong password look the same from outside but for the pause."""
    if request.user.is_authenticated:
        return redirect(_next(request))
    form = LoginForm(request.POST or None)
    error, status = "", 422 if request.method == "POST" else 200
    if form.is_valid():
        email, address = normal_email(form.cleaned_data["email"]), request.META.get("REMOTE_ADDR", "")
        if is_blocked(email, address):
            error, status = _("Too many failed attempts. Wait a quarter of an hour."), 429
        else:
            user = authenticate(request, username=email, password=form.cleaned_data["password"])
            if user is not None:
                note_success(email)
                login(request, user)
                return redirect(_next(request))
            note_failure(email, address)
            error = _("The address or the password is wrong.")
    context = {"form": form, "error": error, "next": _next(request)}
    return render(request, "login.html", context, status=status)


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("login")


@never_cache
@require_safe
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Let the bearer of a one-time link in. A look at the link (HEAD) does not use it up."""
    if request.method == "HEAD":
        return HttpResponse()
    user = redeem_link(token)
    if user is not None:
        login(request, user, backend=BACKEND)
        return redirect("home")
    if request.user.is_authenticated:
        return redirect("home")
    return render(request, "link.html", status=410)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: HttpRequest, token: str) -> HttpResponse:
    """Join a workspace by an invitation: with the account that is logged in, or with a new one."""
    invitation = find_invitation(token)
    if invitation is None:
        return render(request, "invite.html", {"invitation": None}, status=410)
    if request.user.is_authenticated:
        if request.method == "POST":
            return _join(request, invitation, request.user)
        return render(request, "invite.html", {"invitation": invitation})
    form = JoinForm(request.POST or None, initial={"email": invitation.email})
    if form.is_valid():
        fields = form.cleaned_data
        user = User.objects.create_user(fields["email"], fields["password"], name=fields["name"])
        login(request, user, backend=BACKEND)
        return _join(request, invitation, user)
    status = 422 if request.method == "POST" else 200
    return render(request, "invite.html", {"invitation": invitation, "form": form}, status=status)


def _join(request: HttpRequest, invitation: Invitation, user: User) -> HttpResponse:
    if not accept_invitation(invitation, user):
        return render(request, "invite.html", {"invitation": None}, status=410)
    return redirect("projects", workspace_id=invitation.workspace_id)


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Switch the language: in the account when somebody is logged in, in a cookie for everybody."""
    chosen = request.POST.get("language", "")
    response = HttpResponseRedirect(_next(request))
    if chosen in TAGS.values():
        if request.user.is_authenticated:
            User.objects.filter(pk=request.user.pk).update(language=chosen)
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, chosen.lower(), max_age=365 * 24 * 3600, samesite="Lax", httponly=True
        )
    return response


def _next(request: HttpRequest) -> str:
    """Where to go afterwards: only ever a page of this server."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe and target.startswith("/") else "/"
