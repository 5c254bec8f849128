#!/bin/bash
# Trains many experiments on a cluster: one task of an array for each experiment, value and seed.
#
#   python train.py --exp 'aris-*/land/*' --list                        # numbers the trainings
#   sbatch --array=0-11%4 examples/slurm/train_array.sh 'aris-*/land/*' # 12 of them, 4 at a time
#   sbatch --array=0-3 examples/slurm/train_array.sh sis2/s3/l1loss --sweep gen_loss.gen_l1=10,25,50,100
#
# A task that is finished ends at once, one that was begun goes on: the same sbatch again trains what
# is left. A task whose time is up puts itself back into the queue and goes on from its last step.
# Start it from the repository; the lines below and the first of the commands are yours to change.

#SBATCH --job-name=sensor2sensor
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=nohup/slurm-%A_%a.log

set -u

MINUTES=${MINUTES:-225} # of --time; the rest is for the queue's own signal, which comes 5 minutes early
PYTHON=${PYTHON:-.venv/bin/python}

experiments=${1:?"which experiments? as in: sbatch --array=0-11 $0 'aris-*/land/*'"}
shift

# --only trains in one process, with nothing between it and the queue's signal: it comes once.
srun "$PYTHON" train.py --exp "$experiments" --only "$SLURM_ARRAY_TASK_ID" --max-minutes "$MINUTES" "$@"
code=$?

case $code in
124 | 143) # the time is up, by --max-minutes or by the queue's SIGTERM: all is saved
    echo "task $SLURM_ARRAY_TASK_ID goes back into the queue (exit code $code)"
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
    ;;
esac
exit "$code"
