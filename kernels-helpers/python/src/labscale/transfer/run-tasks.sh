# Runs the program of a container image, given as the parameters, for one task after another. Nothing of the image is used:
# the shell and every command are the busybox that was brought along. `turn.py` is the other side and has the files by name.
bb=${LABSCALE_BUSYBOX:-/labscale/bin/busybox}
root=${LABSCALE_ROOT:-/labscale}
turn=$root/turn
unset LABSCALE_BUSYBOX LABSCALE_ROOT
program=

# A name without a folder would be one of the shell's own commands before it is one of the image's.
case $1 in
*/*) ;;
*)
  name=$1
  found="$name: not found in $PATH"
  set -f
  IFS=:
  for folder in $PATH; do
    if [ -f "${folder:-.}/$name" ] && [ -x "${folder:-.}/$name" ]; then
      found=${folder:-.}/$name
      break
    fi
  done
  unset IFS
  set +f
  shift
  set -- "$found" "$@"
  ;;
esac

# Open for as long as this shell lives: its end is the end of this pipe.
exec 9<>"$turn/life"
# The first word says that the other side has opened its end. Until then the pipe is ours too, so that nothing waits.
exec 8<>"$turn/orders"
waited=0
until read -r -t 2 number <&8; do
  waited=$((waited + 2))
  if [ -e "$turn/over" ] || [ $waited -gt 600 ]; then exit 75; fi
done
exec 7<"$turn/orders" 8<&-
: >"$turn/begun"

end_processes() {
  # As the first process of the container, this ends all the others; anywhere else it would end the machine's.
  if [ $$ = 1 ]; then kill -9 -1; elif [ -n "$program" ]; then kill -9 "$program"; fi 2>/dev/null
}

trap 'end_processes; exit 143' TERM

# Microseconds of CPU, the most bytes of memory and the kills for want of it, as the kernel counts them for the container.
measure() {
  cpu=0 peak=0 kills=0
  if [ -r /sys/fs/cgroup/cpu.stat ]; then
    while read -r name value; do [ "$name" = usage_usec ] && cpu=$value; done </sys/fs/cgroup/cpu.stat
    [ -r /sys/fs/cgroup/memory.peak ] && read -r peak </sys/fs/cgroup/memory.peak
    events=/sys/fs/cgroup/memory.events
  else
    [ -r /sys/fs/cgroup/cpuacct/cpuacct.usage ] && read -r cpu </sys/fs/cgroup/cpuacct/cpuacct.usage && cpu=$((cpu / 1000))
    peaks=/sys/fs/cgroup/memory/memory.max_usage_in_bytes
    [ -r $peaks ] && read -r peak <$peaks
    events=/sys/fs/cgroup/memory/memory.oom_control
  fi
  [ -r $events ] && while read -r name value; do [ "$name" = oom_kill ] && kills=$value; done <$events
}

# The end of the orders without a word is the end of the other side, and nobody is left to publish.
while read -r number seconds <&7; do
  [ "$number" = finish ] && exit 0
  measure
  before="$cpu $kills"
  # The one that waits for the time to pass is a child of the program's and not the other way round.
  "$bb" timeout -s KILL "$seconds" "$@" </dev/null >"$turn/log" 2>&1 7<&- 9<&- &
  program=$!
  wait $program
  code=$?
  end_processes
  program=
  measure
  echo "$number $code $before $cpu $kills $peak" >"$turn/result.new"
  "$bb" mv "$turn/result.new" "$turn/result"
done
exit 75
