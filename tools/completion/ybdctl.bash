# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion of ybdctl. Commands and options come from its --help, so they are
# never out of date; names come from the kernel, if it may be asked.

# _ybdctl_words HELP...: commands of a group's help, or options of a command's
_ybdctl_words()
{
	ybdctl "$@" --help 2>/dev/null |
		awk '/^usage: .* COMMAND \.\.\.$/ { group = 1 }
		     /^  / { if (group || $1 ~ /^--/) print $1 }'
}

# _ybdctl_names COMMAND...: first column of a list
_ybdctl_names()
{
	[ -e /sys/module/ybd ] || return 0
	ybdctl "$@" list 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# _ybdctl_reply COMPGEN-ARGUMENTS...: add what compgen says
_ybdctl_reply()
{
	local more

	mapfile -t more < <(compgen "$@")
	COMPREPLY+=("${more[@]}")
}

_ybdctl_value()
{
	case $1 in
	--image)
		_ybdctl_reply -W "$(_ybdctl_names image)" -- "$2" ;;
	--ram | --size | --max-size | --quota | --reserve)
		_ybdctl_reply -W "64M 256M 1G 4G" -- "$2" ;;
	--cluster-size)
		_ybdctl_reply -W "64K 256K 1M 4M" -- "$2" ;;
	--segment-size)
		_ybdctl_reply -W "256K 1M 4M 16M 64M" -- "$2" ;;
	--block-size)
		_ybdctl_reply -W "512 4096" -- "$2" ;;
	--cgroup)
		_ybdctl_reply -W "$(cd /sys/fs/cgroup && compgen -d -- "$2")" -- "$2" ;;
	--source | --hot-list)
		_ybdctl_reply -f -- "$2" ;;
	--output)
		_ybdctl_reply -d -- "$2" ;;
	--format)
		_ybdctl_reply -W "overlaybd overlayfs raw tar" -- "$2" ;;
	--journal)
		_ybdctl_reply -W "auto none" -- "$2" ;;
	--fs)
		_ybdctl_reply -W "ext4 erofs" -- "$2" ;;
	--platform)
		_ybdctl_reply -W "linux/amd64 linux/arm64" -- "$2" ;;
	--pool)
		_ybdctl_reply -f -- "$2" ;;
	--transport)
		_ybdctl_reply -W "tcp rdma loop" -- "$2" ;;
	--config)
		_ybdctl_reply -f -- "$2" ;;
	--timeout | --bound | --removed | --below) ;;
	--traddr | --trsvcid | --host-traddr | --host-iface | --hostnqn | --hostid) ;;
	--io-queues | --write-queues | --poll-queues | --queue-size | --keyring | --tls-key) ;;
	--keep-alive-tmo | --reconnect-delay | --ctrl-loss-tmo | --fast-io-fail-tmo) ;;
	--layer | --esnap | --replug-timeout | --name | --uuid | --image-name | --options | -o | --uppers | \
		--drop-upper) ;;
	*) return 1 ;;
	esac
}

_ybdctl_operand()
{
	case $1 in
	detach | destroy | show | stats | resize | set | commit)
		_ybdctl_reply -W "$(_ybdctl_names)" -- "$2" ;;
	mount | umount)
		_ybdctl_reply -W "$(_ybdctl_names)" -- "$2"
		_ybdctl_reply -d -- "$2" ;;
	image\ show | image\ unload | image\ verify | image\ pin)
		_ybdctl_reply -W "$(_ybdctl_names image)" -- "$2" ;;
	source\ * | store\ * | pool\ * | lvol\ * | convert | export)
		_ybdctl_reply -f -- "$2" ;;
	esac
}

_ybdctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local cmd=() i

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-*) continue ;;
		source | store | lvol | pool | image)
			[ ${#cmd[@]} -gt 0 ] && break
			cmd+=("${COMP_WORDS[i]}") ;;
		*)
			cmd+=("${COMP_WORDS[i]}")
			break ;;
		esac
	done
	_ybdctl_value "$prev" "$cur" && return
	if [ ${#cmd[@]} = 0 ] && [[ $cur = -* ]]; then
		_ybdctl_reply -W "--json --quiet --help --version" -- "$cur"
		return
	fi
	if [ ${#cmd[@]} = 0 ] || { [ ${#cmd[@]} = 1 ] &&
		[[ ${cmd[0]} =~ ^(source|store|lvol|pool|image)$ ]]; } || [[ $cur = -* ]]; then
		_ybdctl_reply -W "$(_ybdctl_words "${cmd[@]}")" -- "$cur"
	else
		_ybdctl_operand "${cmd[*]}" "$cur"
	fi
}

complete -o filenames -F _ybdctl ybdctl
