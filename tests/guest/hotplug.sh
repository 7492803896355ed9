#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# hotplug.sh: in the guest, for the suite hotplug-vm.
set -uo pipefail
cd "$(dirname "$0")/../.."
. tests/cli/guest/common.sh
. tests/guest/nvmet.sh

# shellcheck disable=SC1090
for part in fabrics; do
	. "tests/guest/$part.sh"
done
ktap_end
