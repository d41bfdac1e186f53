docker network create prefect-agent-network
cd /var/lib/provision/prefect/agent
docker compose up -d --wait
docker compose run --rm register
