# Training, evaluation and every step on the CPU:
#   docker build -t sensor2sensor .
#   docker run --rm -v "$PWD/archive:/sensor2sensor/archive" -v "$PWD/data:/sensor2sensor/data" \
#     -v "$PWD/experiments:/sensor2sensor/experiments" sensor2sensor s2s doctor
FROM python:3.12-slim

RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends git graphviz make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /sensor2sensor
# First what changes seldom, so that an edit of the code does not fetch TensorFlow again.
COPY requirements.txt ./
COPY requirements ./requirements
RUN pip install --no-cache-dir --requirement requirements.txt

COPY . .
RUN pip install --no-cache-dir --no-deps --editable .

CMD ["s2s", "--help"]
