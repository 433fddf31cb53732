from starlette.responses import PlainTextResponse


async def home(request):
    return PlainTextResponse("ok")


authorize = project = run = sweep = artifact = nothing = home
