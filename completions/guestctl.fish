# Completion of guestctl for fish.  Made by tools/completions.py from the command line's grammar.

function __guestctl_ask
    command guestctl $argv 2>/dev/null </dev/null
end

function __guestctl_profiles
    __guestctl_ask check --show | sed -n 's/^\[\(guest\.\)\{0,1\}profile\.\([A-Za-z0-9_-]*\)\].*/\2/p' | sort -u
end

# Whether the verb before the cursor is one of these; "" is none.
function __guestctl_at
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --config --connect --facts --guest --incus --libvirt-guests --order --profile --proxmox --qemu-conf --reason --run --set --state --unset --within -c -n -o
                set -e words[1]
            case '-*'
            case '*'
                break
        end
        set -e words[1]
    end
    contains -- "$words[1]" $argv
end

complete -c guestctl -f
complete -c guestctl -n '__guestctl_at ""' -a shutdown -d 'take guests down: to safety, or because they are to be off'
complete -c guestctl -n '__guestctl_at ""' -a start -d 'start or resume the guests that are wanted on, or those named'
complete -c guestctl -n '__guestctl_at ""' -a shed -d 'take guests to safety while the host stays up: those named, else those with the highest `order` of all that are up; `guestctl resume` brings just these back'
complete -c guestctl -n '__guestctl_at ""' -a resume -d 'bring back the guests that are shed still, or those of them named'
complete -c guestctl -n '__guestctl_at ""' -a attach -d 'show the service\'s run that goes on, with all that it did so far, until it ends'
complete -c guestctl -n '__guestctl_at ""' -a cancel -d 'end the service\'s run that goes on: no further step is begun, a save is aborted'
complete -c guestctl -n '__guestctl_at ""' -a hold -d 'never have guests started by guestctl until they are released'
complete -c guestctl -n '__guestctl_at ""' -a release -d 'end a hold; the guest is wanted on from then on'
complete -c guestctl -n '__guestctl_at ""' -a forget -d 'want nothing any more of a guest that libvirt does not list'
complete -c guestctl -n '__guestctl_at ""' -a list -d 'show every guest, what is wanted of it, and what the next boot does'
complete -c guestctl -n '__guestctl_at ""' -a status -d 'show what is wrong, the service and its triggers, or guests'
complete -c guestctl -n '__guestctl_at ""' -a plan -d 'show what `shutdown --preserve` would do now; touches nothing'
complete -c guestctl -n '__guestctl_at ""' -a facts -d 'record all that plans go by, as TOML: for reports of bugs'
complete -c guestctl -n '__guestctl_at ""' -a why -d 'show how things stand with a guest, and how that came about'
complete -c guestctl -n '__guestctl_at ""' -a watch -d 'follow what happens to guests, and who stopped them, until Ctrl-C'
complete -c guestctl -n '__guestctl_at ""' -a history -d 'show past runs'
complete -c guestctl -n '__guestctl_at ""' -a policy -d 'show the settings of a guest, and where each comes from; or change its own'
complete -c guestctl -n '__guestctl_at ""' -a check -d 'check the configuration'
complete -c guestctl -n '__guestctl_at ""' -a doctor -d 'show every reason why the next shutdown or boot would not go as configured'
complete -c guestctl -n '__guestctl_at ""' -a import -d 'write what libvirt-guests and libvirt\'s auto-shutdown are set to as settings of guestctl'
complete -c guestctl -n '__guestctl_at ""' -a takeover -d 'put guestctl in charge of this host\'s guests in place of libvirt-guests'
complete -c guestctl -n '__guestctl_at ""' -a handback -d 'undo `takeover`: what was in charge of this host\'s guests before is again'
complete -c guestctl -n '__guestctl_at ""' -a reload -d 'have the service read its configuration, and show what is different'
complete -c guestctl -n '__guestctl_at ""' -a daemon -d 'serve: what the unit guestctl.service runs'
complete -c guestctl -n '__guestctl_at check' -F
complete -c guestctl -n '__guestctl_at shutdown start shed resume hold forget list status plan why history policy' -f -a '(__guestctl_ask list -o name)'
complete -c guestctl -n '__guestctl_at release' -f -a '(__guestctl_ask list --held -o name)'
complete -c guestctl -n '__guestctl_at "" shutdown start shed resume attach cancel hold release forget list status plan facts why watch history policy check doctor import takeover handback reload daemon' -s h -l help -d 'show this help message and exit'
complete -c guestctl -n '__guestctl_at "" shutdown start shed resume attach cancel hold release forget list status plan facts why watch history policy check doctor import takeover handback reload daemon' -s c -l connect -x -a '"qemu:///system" "qemu:///session" "lxc:///system"' -d 'this libvirt connection, instead of the configured ones'
complete -c guestctl -n '__guestctl_at "" shutdown start shed resume attach cancel hold release forget list status plan facts why watch history policy check doctor import takeover handback reload daemon' -l config -r -F -d 'this configuration file alone, instead of those in /etc/guestctl'
complete -c guestctl -n '__guestctl_at "" shutdown start shed resume attach cancel hold release forget list status plan facts why watch history policy check doctor import takeover handback reload daemon' -l strict -d 'refuse a configuration with mistakes, instead of using the last good one'
complete -c guestctl -n '__guestctl_at ""' -l version -d 'show program\'s version number and exit'
complete -c guestctl -n '__guestctl_at shutdown' -l preserve -d 'take all running guests (or those named) to safety: managed save, else shutdown, else poweroff, as policy allows; `guestctl start` brings them back'
complete -c guestctl -n '__guestctl_at shutdown' -l all -d 'shut every guest down; they are not brought back'
complete -c guestctl -n '__guestctl_at shutdown' -l within -x -d 'how long it may take in all, instead of [shutdown] deadline: what a UPS has left; upsc:NAME@HOST asks it'
complete -c guestctl -n '__guestctl_at shutdown' -l profile -x -a '(__guestctl_profiles)' -d 'with the settings of [profile.NAME] over those of [shutdown]'
complete -c guestctl -n '__guestctl_at shutdown' -l without-ledger -d 'also where the ledger cannot be written: nobody will know to bring guests back'
complete -c guestctl -n '__guestctl_at shutdown start resume release forget policy' -l reason -x -d 'why, for the reason trail'
complete -c guestctl -n '__guestctl_at shutdown start shed resume attach cancel' -s q -l quiet -d 'only show what goes wrong'
complete -c guestctl -n '__guestctl_at shutdown start shed resume attach cancel list status plan why watch history policy check doctor import' -l json -d 'print JSON for programs'
complete -c guestctl -n '__guestctl_at start' -l run -x -d 'just the guests that this run took down: what `shutdown --all` is undone with'
complete -c guestctl -n '__guestctl_at start' -l resume-anyway -d 'resume from a stale save; what the guest remembers goes over what its disks hold now'
complete -c guestctl -n '__guestctl_at start' -l discard-save -d 'remove the save and boot; what only the guest\'s memory held is lost'
complete -c guestctl -n '__guestctl_at shed' -l order -x -d 'those with this `order` or a higher one: they come up last'
complete -c guestctl -n '__guestctl_at shed' -l within -x -d 'how long it may take in all, instead of [shutdown] deadline'
complete -c guestctl -n '__guestctl_at shed' -l profile -x -a '(__guestctl_profiles)' -d 'with the settings of [profile.NAME]; without guests and --order: those of which it says `shed = true`'
complete -c guestctl -n '__guestctl_at shed' -l dry-run -d 'show what would be done, and do nothing'
complete -c guestctl -n '__guestctl_at shed' -l reason -x -d 'why; shown by `list`, and in the reason trail'
complete -c guestctl -n '__guestctl_at cancel' -l mine -d 'only one that the same user began, at the same terminal or in the same unit'
complete -c guestctl -n '__guestctl_at hold' -l reason -x -d 'why; shown by `list`'
complete -c guestctl -n '__guestctl_at list' -l problems -d 'only guests with which something is wrong: what, and the command to type'
complete -c guestctl -n '__guestctl_at list' -l held -d 'only guests that are held'
complete -c guestctl -n '__guestctl_at list' -l state -x -a '"no state" "running" "idle" "paused" "in shutdown" "shut off" "crashed" "pmsuspended" "unknown"' -d 'only guests in this state, such as "running" or "shut off"'
complete -c guestctl -n '__guestctl_at list' -s o -x -a '"wide" "name"' -d 'wide: all that is known; name: names alone, a line each'
complete -c guestctl -n '__guestctl_at plan' -l boot -d 'what the next boot would do instead'
complete -c guestctl -n '__guestctl_at plan' -l within -x -d 'as if a preserve were told so: what it then has no time for'
complete -c guestctl -n '__guestctl_at plan' -l profile -x -a '(__guestctl_profiles)' -d 'as a preserve with this profile would do; as the host\'s reboot, for one'
complete -c guestctl -n '__guestctl_at plan' -l facts -r -F -d 'from what `guestctl facts` recorded, on whatever host; nothing else is looked at'
complete -c guestctl -n '__guestctl_at facts' -l mask -d 'with other names, UUIDs, paths and addresses, for eyes of others'
complete -c guestctl -n '__guestctl_at history' -s n -x -d 'how many'
complete -c guestctl -n '__guestctl_at policy' -l set -x -a '"save=" "shutdown=" "poweroff=" "save-timeout=" "shutdown-timeout=" "job-timeout=" "methods=" "bypass-cache=" "shed=" "restore=" "start-delay=" "retries=" "start-bypass-cache=" "start-timeout=" "unverifiable=" "storage-timeout=" "start-retry=" "managed-elsewhere=" "sync-time=" "user-shutdown=" "after=" "requires=" "order=" "ready=" "ready-timeout="' -d 'have this in the guest\'s own XML, named as in a [[guest]]: save=none after=db-1,dns, profile.reboot.save=all'
complete -c guestctl -n '__guestctl_at policy' -l unset -x -a '"save" "shutdown" "poweroff" "save-timeout" "shutdown-timeout" "job-timeout" "methods" "bypass-cache" "shed" "restore" "start-delay" "retries" "start-bypass-cache" "start-timeout" "unverifiable" "storage-timeout" "start-retry" "managed-elsewhere" "sync-time" "user-shutdown" "after" "requires" "order" "ready" "ready-timeout" "all"' -d 'take this out of it; "all" for all of guestctl\'s that is there'
complete -c guestctl -n '__guestctl_at check' -l show -d 'print every value in effect, and the file and line that set it, as TOML'
complete -c guestctl -n '__guestctl_at check' -l guest -x -a '(__guestctl_ask list -o name)' -d 'print the values in effect for this guest, its [[guest]] tables applied'
complete -c guestctl -n '__guestctl_at import' -l dry-run -d 'print the file instead of writing it'
complete -c guestctl -n '__guestctl_at import' -l force -d 'replace the file of an earlier import'
complete -c guestctl -n '__guestctl_at import' -l libvirt-guests -r -F -d 'from this file, whether libvirt-guests is on or not, instead of what counts here'
complete -c guestctl -n '__guestctl_at import' -l qemu-conf -r -F -d 'from this file instead of what counts here'
complete -c guestctl -n '__guestctl_at import' -l proxmox -r -F -d 'a [[guest]] for each guest of Proxmox VE: 100.conf, or a dump of several'
complete -c guestctl -n '__guestctl_at import' -l incus -r -F -d 'a [[guest]] for each instance in what `incus list -f json` printed'
complete -c guestctl -n '__guestctl_at takeover handback' -l dry-run -d 'show what would be done, and touch nothing'
complete -c guestctl -n '__guestctl_at takeover' -l force -d 'go on whatever `doctor` finds, and with a configuration that has mistakes'
