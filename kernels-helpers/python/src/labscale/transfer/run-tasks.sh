# Runs the program of a container image, given as the parameters, for one task after another. Nothing of the image is used:
# the shell and every command are the busybox that was brought along. `turn.py` is the other side and has the files by name.
bb=${LABSCALE_BUSYBOX:-/labscale/bin/busybox}
root=${LABSCALE_ROOT:-/labscale}
turn=$root/turn
carrier=$root/channel.sock.alive
unset LABSCALE_BUSYBOX LABSCALE_ROOT

# Locked before anybody can see it, for as long as this shell lives.
exec 9>"$turn/program.new"
"$bb" flock -x 9
"$bb" mv "$turn/program.new" "$turn/program.alive"
# Opened for writing too, so that the open does not wait and a reading never finds the end.
exec 8<>"$turn/orders"

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

waited=0
while :; do
  if ! read -r -t 2 number seconds <&8; then
    waited=$((waited + 2))
    if [ -e "$carrier" ]; then
      "$bb" flock -s -n "$carrier" "$bb" true && exit 75
    elif [ $waited -gt 600 ]; then
      exit 75
    fi
    continue
  fi
  [ "$number" = finish ] && exit 0
  measure
  before="$cpu $kills"
  # The one that waits for the time to pass is a child of the program's and not the other way round.
  "$bb" timeout -s KILL "$seconds" "$@" </dev/null >"$turn/log" 2>&1 8<&- 9<&- &
  program=$!
  wait $program
  code=$?
  end_processes
  program=
  measure
  echo "$number $code $before $cpu $kills $peak" >"$turn/result.new"
  "$bb" mv "$turn/result.new" "$turn/result"
done
