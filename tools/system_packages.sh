#!/usr/bin/env bash
# Installs what `make test` needs from the system: venv, make, Chromium and a Java 17 or newer.
# Where it may not install (no root, no apt-get) it prints the one command to run, and fails.
set -euo pipefail

have() { command -v "$1" >/dev/null 2>&1; }

have_java() {
  local java=java
  if [[ -n "${JAVA_HOME:-}" && -x "$JAVA_HOME/bin/java" ]]; then java="$JAVA_HOME/bin/java"; fi
  have "$java" || return 1
  local version
  version=$("$java" -version 2>&1 | sed -nE 's/.* version "([0-9]+).*/\1/p')
  ((${version:-0} >= 17))
}

java_of_apt() { # the newest of the long-term releases that this system has
  for release in 21 17; do
    if apt-cache show "openjdk-$release-jre-headless" >/dev/null 2>&1; then
      echo "openjdk-$release-jre-headless"
      return
    fi
  done
  echo default-jre-headless
}

missing=()
"${PYTHON:-python3}" -c 'import venv, ensurepip' 2>/dev/null || missing+=(venv)
have make || missing+=(make)
have chromium || have chromium-browser || missing+=(chromium)
have_java || missing+=(java)
((${#missing[@]})) || exit 0

install=() packages=()
if have apt-get; then
  if (($(id -u) == 0)); then
    apt-get update -qq
    install=(apt-get install -y -qq)
  else
    install=(sudo apt-get install -y)
  fi
  declare -A names=([venv]=python3-venv [java]="$(java_of_apt)")
elif have dnf; then
  install=(sudo dnf install -y)
  declare -A names=([venv]=python3 [java]=java-21-openjdk-headless)
elif have brew; then
  install=(brew install)
  declare -A names=([venv]=python [java]=openjdk)
else
  echo "the tests need these, which are not there: ${missing[*]} (Java 17 or newer)" >&2
  exit 1
fi
for name in "${missing[@]}"; do packages+=("${names[$name]:-$name}"); done

if [[ "${install[0]}" == apt-get ]]; then
  exec "${install[@]}" "${packages[@]}"
fi
echo "the tests need these, which are not there: ${missing[*]}. Run" >&2
echo "  ${install[*]} ${packages[*]}" >&2
exit 1
