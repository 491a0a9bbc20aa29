"""A real djangorestframework-simplejwt, asked without a socket: a request a line on standard input, its answer a line on
standard output."""

import datetime
import json
import sys

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="s" * 50,
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "rest_framework_simplejwt.token_blacklist",
    ],
    # Cheap, because only the answers matter here.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
    ROOT_URLCONF=__name__,
    SIMPLE_JWT={
        "SIGNING_KEY": sys.argv[1],
        "ISSUER": "https://id.test",
        "ACCESS_TOKEN_LIFETIME": datetime.timedelta(minutes=5),
        "REFRESH_TOKEN_LIFETIME": datetime.timedelta(hours=24),
        "SLIDING_TOKEN_LIFETIME": datetime.timedelta(minutes=5),
        "SLIDING_TOKEN_REFRESH_LIFETIME": datetime.timedelta(hours=24),
        "ROTATE_REFRESH_TOKENS": True,
        "BLACKLIST_AFTER_ROTATION": True,
        "UPDATE_LAST_LOGIN": True,
    },
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import path
from rest_framework_simplejwt import views

urlpatterns = [
    path("api/token/", views.TokenObtainPairView.as_view()),
    path("api/token/refresh/", views.TokenRefreshView.as_view()),
    path("api/token/verify/", views.TokenVerifyView.as_view()),
    path("api/token/blacklist/", views.TokenBlacklistView.as_view()),
    path("api/token/sliding/", views.TokenObtainSlidingView.as_view()),
    path("api/token/sliding/refresh/", views.TokenRefreshSlidingView.as_view()),
]

call_command("migrate", verbosity=0)
for name in ["ada", "bob", "eve"]:
    User.objects.create_user(name, password="correct horse")

# An error becomes the 500 that a client would see.
client = Client(raise_request_exception=False)
print(json.dumps({"version": __import__("importlib.metadata").metadata.version("djangorestframework-simplejwt")}), flush=True)
for line in sys.stdin:
    ask = json.loads(line)
    if "deactivate" in ask:
        User.objects.filter(username=ask["deactivate"]).update(is_active=False)
        print("{}", flush=True)
        continue
    if "delete" in ask:
        User.objects.filter(username=ask["delete"]).delete()
        print("{}", flush=True)
        continue
    answer = client.generic(ask["method"], ask["path"], ask["body"].encode(), content_type=ask["content_type"])
    fields = {name: answer.headers.get(name) for name in ["content-type", "www-authenticate", "allow"]}
    print(json.dumps({"status": answer.status_code, "fields": fields, "text": answer.content.decode()}), flush=True)
