#!/bin/bash
# One of the steps 30 and 40 to 55 in parts: a task of an array does a part, a job without an array joins them.
#
#   job=$(sbatch --parsable --array=1-8 examples/slurm/step_parts.sh 8 preprocessing/40_create_tifs.py --selection sel_T17XNA)
#   sbatch --dependency=afterany:"$job" examples/slurm/step_parts.sh 8 preprocessing/40_create_tifs.py --selection sel_T17XNA
#
# The first word is the number of parts, also where some are repeated: --array=3,5. A part ends with exit code 1 where an
# item failed, hence afterany; the second job refuses while a part is missing. A part whose time is up goes back to the queue.
# Start it from the repository; the lines below and the first of the commands are yours to change.

#SBATCH --job-name=sensor2sensor
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=nohup/slurm-%A_%a.log

set -u

PYTHON=${PYTHON:-.venv/bin/python}

parts=${1:?"how many parts? as in: sbatch --array=1-8 $0 8 preprocessing/40_create_tifs.py --selection sel_T17XNA"}
step=${2:?"which step? as in: sbatch --array=1-8 $0 8 preprocessing/40_create_tifs.py --selection sel_T17XNA"}
shift 2

if [[ -n ${SLURM_ARRAY_TASK_ID:-} ]]; then
    which=(--part "$SLURM_ARRAY_TASK_ID/$parts")
else
    which=(--merge "$parts")
fi
srun "$PYTHON" "$step" "$@" "${which[@]}" --workers "${SLURM_CPUS_PER_TASK:-1}"
code=$?

if [[ $code -eq 143 && -n ${SLURM_ARRAY_TASK_ID:-} ]]; then # the queue's SIGTERM: what is finished is kept
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$code"
