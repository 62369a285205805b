# The page of `specsia web`: docker build --tag specsia . && docker run --publish 7860:7860 specsia
FROM python:3.11-slim
RUN useradd --create-home specsia
COPY --chown=specsia . /home/specsia/source
RUN pip install --no-cache-dir "/home/specsia/source[web]"
USER specsia
WORKDIR /home/specsia
# Compiled code is kept, so that the first visitor does not wait for it.
RUN specsia build sample:1 --out warm --size 64 --views 2 && rm -rf warm
EXPOSE 7860
CMD ["specsia", "web", "--host", "0.0.0.0"]
